// A pool of servers and what a balancer knows of them, for tests and benchmarks.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "nfsteer/balance.hpp"
#include "nfsteer/base/mix.hpp"

namespace nfsteer::testing {

struct TestPool {
  PoolState state;
  Gauges gauges;
  std::vector<Member> members;
  std::uint64_t seed = 1;
  std::uint32_t factor = 125;

  // Of so many servers, with these weights in turn.
  explicit TestPool(std::size_t servers, const std::vector<std::uint32_t>& weights = {1}) {
    for (std::size_t i = 0; i < servers; ++i)
      members.push_back(
          {static_cast<ServerId>(i + 1), mix(1'000 + i), weights[i % weights.size()], 1});
  }

  std::unique_ptr<const Balancer> make(const char* algorithm) {
    return find_algorithm(algorithm)->make({members, state, gauges, seed, factor});
  }
  // As if so many flows more, or fewer, were at the server.
  void load(std::size_t member, std::int32_t flows) { gauges.settle(members[member].id, -flows); }
  // As if the latency had become known at that moment.
  void know(std::size_t member, std::uint32_t latency_us, std::uint32_t now_s = 0) {
    gauges[members[member].id].latency_us = latency_us;
    gauges[members[member].id].sampled_s = now_s;
  }
};

// Of so many picks, how many each member got. Each is of another flow.
inline std::vector<std::uint32_t> picked(const TestPool& pool, const Balancer& balancer,
                                         std::uint64_t picks, std::uint32_t now_s = 0) {
  std::vector<std::uint32_t> counts(pool.members.size());
  for (std::uint64_t i = 0; i < picks; ++i)
    ++counts[balancer.pick({mix(i * kGolden), now_s, Turn::Take})];
  return counts;
}

// The server of each of so many flows.
inline std::vector<std::size_t> homes(const Balancer& balancer, std::uint64_t flows) {
  std::vector<std::size_t> homes;
  for (std::uint64_t i = 0; i < flows; ++i)
    homes.push_back(balancer.pick({mix(i * kGolden), 0, Turn::Take}));
  return homes;
}

// The largest distance of a member's part of the picks from its weight's.
struct ShareError {
  double absolute = 0;  // in shares of all picks
  double relative = 0;  // to the member's share
};
inline ShareError share_error(const TestPool& pool, const std::vector<std::uint32_t>& counts) {
  double weights = 0, picks = 0;
  for (const Member& member : pool.members) weights += member.weight;
  for (const std::uint32_t count : counts) picks += count;
  ShareError error;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double due = pool.members[i].weight / weights;
    const double off = std::abs(counts[i] / picks - due);
    error.absolute = std::max(error.absolute, off);
    error.relative = std::max(error.relative, off / due);
  }
  return error;
}

}  // namespace nfsteer::testing
