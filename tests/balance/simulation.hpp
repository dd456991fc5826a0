// Servers with flows that come and end, and servers of different speed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "pool.hpp"

namespace nfsteer::testing {

// What the servers have to do at once, in flows for a weight of 1.
struct Loads {
  double worst = 0;  // of any server at any time
  double usual = 0;  // of the one that has most, in the mean over time
};

// As many flows as `mean` for each server; then, again and again, one that is there
// ends, any of them, and a new one comes.
inline Loads simulate_loads(TestPool& pool, const char* algorithm, std::uint32_t mean,
                            int turnovers = 20) {
  const auto balancer = pool.make(algorithm);
  std::mt19937_64 random(1);
  std::vector<std::size_t> flows;  // the server of each
  const auto open = [&] {
    const std::size_t server = balancer->pick({random(), 0, Turn::Take});
    pool.gauges.assign(pool.members[server].id);
    return server;
  };
  const std::size_t all = pool.members.size() * mean;
  while (flows.size() < all) flows.push_back(open());
  Loads loads;
  int samples = 0;
  for (std::size_t step = 0; step < all * static_cast<std::size_t>(turnovers); ++step) {
    std::size_t& flow = flows[random() % all];
    pool.gauges.settle(pool.members[flow].id);
    flow = open();
    if (step % pool.members.size() != 0) continue;
    double most = 0;
    for (const Member& member : pool.members)
      most = std::max(most, pool.gauges[member.id].load() / member.share());
    loads.worst = std::max(loads.worst, most);
    loads.usual += most;
    ++samples;
  }
  loads.usual /= samples;
  return loads;
}

// How a gauge follows latencies: up at once, down within some ten seconds.
inline std::uint32_t smoothed(std::uint32_t known_us, std::uint32_t own_us, std::uint32_t age_s) {
  if (own_us >= known_us) return own_us;
  const double way = std::max(0.1, 1 - std::exp(-static_cast<double>(age_s) / 10));
  return known_us - static_cast<std::uint32_t>(way * (known_us - own_us));
}

// Latencies of servers that have none: each flow fails at once, which a gauge hears as
// a very long one; nothing is ever heard of a flow.
inline constexpr std::uint32_t kFails = 5'000'000, kSilent = 0;

// The seconds from the first to before the second, in each so many flows. Their
// latency is the server's, and each lasts a hundred times as long, at most the second.
// Returns how many each server got.
inline std::vector<std::uint32_t> simulate_latency(
    TestPool& pool, const Balancer& balancer, const std::vector<std::uint32_t>& latency_us,
    std::uint32_t flows_per_s, std::pair<std::uint32_t, std::uint32_t> from_to_s) {
  std::vector<std::uint32_t> counts(pool.members.size());
  for (std::uint32_t now_s = from_to_s.first; now_s < from_to_s.second; ++now_s) {
    std::vector<std::pair<std::uint64_t, std::size_t>> ends;  // when within the second, who
    for (std::uint32_t flow = 0; flow < flows_per_s; ++flow) {
      const std::uint64_t now_us = std::uint64_t{flow} * 1'000'000 / flows_per_s;
      std::erase_if(ends, [&](const auto& end) {
        if (end.first <= now_us) pool.gauges.settle(pool.members[end.second].id);
        return end.first <= now_us;
      });
      const std::size_t server = balancer.pick({mix(flow), now_s, Turn::Take});
      ++counts[server];
      pool.gauges.assign(pool.members[server].id);
      const bool fails = latency_us[server] == kFails;
      ends.emplace_back(now_us + (fails ? 0 : latency_us[server] * 100), server);
      if (latency_us[server] == kSilent) continue;
      const Gauge& gauge = pool.gauges[pool.members[server].id];
      pool.know(server, smoothed(gauge.latency_us, latency_us[server], now_s - gauge.sampled_s),
                now_s);
    }
    for (const auto& end : ends) pool.gauges.settle(pool.members[end.second].id);
  }
  return counts;
}

}  // namespace nfsteer::testing
