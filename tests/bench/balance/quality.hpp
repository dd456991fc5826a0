// How even the balancers are, and whose flows move when servers come and go.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "../../balance/pool.hpp"
#include "../../balance/simulation.hpp"

namespace nfsteer::bench {

inline const std::vector<std::uint32_t> kAlike{1}, kDiffering{1, 2, 3, 10, 50};

// Of flows that stay.
inline void print_shares(std::size_t servers, const std::vector<std::uint32_t>& weights) {
  constexpr std::uint64_t kMillion = 1'000'000;
  std::printf("\nshare error at 10^6 picks, %zu servers, weights %s\n", servers,
              weights.size() == 1 ? "equal" : "1, 2, 3, 10, 50");
  std::printf("%-24s %14s %14s\n", "", "of all flows", "of its share");
  for (const Algorithm& algorithm : algorithms()) {
    testing::TestPool pool(servers, weights);
    const auto balancer = pool.make(algorithm.name);
    std::vector<std::uint32_t> counts(servers);
    for (std::uint64_t i = 0; i < kMillion; ++i) {
      const std::size_t server = balancer->pick({mix(i * kGolden), 0, Turn::Take});
      pool.gauges.assign(pool.members[server].id);
      ++counts[server];
    }
    const auto error = testing::share_error(pool, counts);
    std::printf("%-24s %12.4f %% %12.2f %%\n", algorithm.name, 100 * error.absolute,
                100 * error.relative);
  }
}

// In percent of the flows that were not, and are not, that server's.
inline double moved(const std::vector<std::size_t>& before, const std::vector<std::size_t>& after,
                    std::size_t server) {
  double others = 0, moved = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i] == server || after[i] == server) continue;
    ++others;
    moved += before[i] != after[i];
  }
  return 100 * moved / others;
}

inline void print_disruption() {
  constexpr std::uint64_t kFlows = 1'000'000;
  std::printf("\nflows of others that move when one of 100 servers\n");
  std::printf("%-24s %12s %12s %18s\n", "", "leaves", "returns", "is a new one");
  for (const char* algorithm : {"hash", "maglev", "rendezvous", "bounded-hash"}) {
    testing::TestPool pool(100);
    const auto before = testing::homes(*pool.make(algorithm), kFlows);
    pool.members.back().portion = 0;
    const auto without = testing::homes(*pool.make(algorithm), kFlows);
    pool.members.back().portion = 1;
    const auto again = testing::homes(*pool.make(algorithm), kFlows);
    pool.members.pop_back();
    const auto never = testing::homes(*pool.make(algorithm), kFlows);
    std::printf("%-24s %10.3f %% %10.3f %% %16.3f %%\n", algorithm, moved(before, without, 99),
                moved(without, again, 99), moved(never, before, 99));
  }
}

inline void print_loads() {
  std::printf("\nflows that come and end at random, 100 a server: the most that one has\n");
  std::printf("%-24s %8s %10s %10s\n", "", "servers", "ever", "usually");
  for (const char* algorithm :
       {"least-connections", "two-random", "peak-ewma", "bounded-hash", "round-robin", "random"})
    for (const std::size_t servers : {10u, 100u, 1'000u}) {
      testing::TestPool pool(servers);
      const auto loads = testing::simulate_loads(pool, algorithm, 100);
      std::printf("%-24s %8zu %10.0f %10.1f\n", algorithm, servers, loads.worst, loads.usual);
    }
}

inline void print_slow_server() {
  std::printf("\none server 10 times slower, 1,000 flows/s: its part of the flows\n");
  std::printf("%-24s %8s %10s %24s\n", "", "servers", "slow", "30 s after it recovered");
  for (const char* algorithm : {"least-latency", "peak-ewma"})
    for (const std::size_t servers : {3u, 10u}) {
      testing::TestPool pool(servers);
      const auto balancer = pool.make(algorithm);
      std::vector<std::uint32_t> latency_us(servers, 500);
      latency_us[1] = 5'000;
      const auto part = [&](std::uint32_t from_s, std::uint32_t to_s) {
        const auto counts =
            testing::simulate_latency(pool, *balancer, latency_us, 1'000, {from_s, to_s});
        return counts[1] / (10.0 * (to_s - from_s));
      };
      const double slow = part(1, 100);
      latency_us[1] = 500;
      part(100, 130);
      std::printf("%-24s %8zu %8.2f %% %22.2f %%\n", algorithm, servers, slow, part(130, 160));
    }
}

}  // namespace nfsteer::bench
