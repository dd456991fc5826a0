// What a pick costs, and what it costs to make a balancer.
#pragma once

#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <random>
#include <vector>

#include "../../balance/pool.hpp"
#include "../measure.hpp"

namespace nfsteer::bench {

// A pass is so short that most are not interrupted.
inline constexpr std::size_t kPicks = 4'096;
inline constexpr int kPasses = 101;

// The plain way: the least loaded for its weight, by asking all under a lock.
class LockedScan {
 public:
  explicit LockedScan(const testing::TestPool& pool) : pool_(pool) {}

  std::size_t pick() {
    const std::lock_guard lock(mutex_);
    std::size_t least = 0;
    double least_load = 0;
    for (std::size_t i = 0; i < pool_.members.size(); ++i) {
      const Member& member = pool_.members[i];
      const double load = (pool_.gauges[member.id].load() + 1) / member.share();
      if (i > 0 && load >= least_load) continue;
      least = i;
      least_load = load;
    }
    return least;
  }

 private:
  const testing::TestPool& pool_;
  std::mutex mutex_;
};

// Servers that have flows and latencies, as in the midst of work; one is slow.
inline void set_to_work(testing::TestPool& pool) {
  std::mt19937 random(1);
  for (std::size_t i = 0; i < pool.members.size(); ++i) {
    pool.load(i, static_cast<std::int32_t>(95 + random() % 10));
    pool.know(i, i == 0 ? 2'000 : static_cast<std::uint32_t>(190 + random() % 20));
  }
}

// One thread writes, so it needs no more than this.
inline void add_one(std::atomic<std::uint32_t>& count) {
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

// One pass of picks by `pick`, which is told a hash. Each changes what the next one
// reads: its server has a flow more, another one a flow less.
template <typename Choose>
double time_picks(testing::TestPool& pool, Choose pick) {
  return time_ns(kPicks, [&] {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < kPicks; ++i) {
      const std::size_t server = pick(mix(i * kGolden));
      add_one(pool.gauges[pool.members[server].id].assigned);
      add_one(pool.gauges[pool.members[i % pool.members.size()].id].settled);
      sum += server;
    }
    return sum;
  });
}

inline void print_cost_heading() {
  print_machine();
  std::printf("ns for one pick, minimum and median of %d passes in turn with all others,\n",
              kPasses);
  std::printf("among them what the pass itself does; the time to make a balancer in ms\n");
}

inline void bench_cost(std::size_t servers) {
  testing::TestPool pool(servers);
  set_to_work(pool);
  std::vector<std::unique_ptr<const Balancer>> balancers;
  for (const Algorithm& algorithm : algorithms()) balancers.push_back(pool.make(algorithm.name));
  LockedScan scan(pool);
  std::vector<Times> times(balancers.size());
  Times plain, nothing;
  for (int pass = 0; pass < kPasses; ++pass) {
    for (std::size_t a = 0; a < balancers.size(); ++a)
      times[a].add(time_picks(pool, [&](std::uint64_t hash) {
        return balancers[a]->pick({hash, 0, Turn::Take});
      }));
    plain.add(time_picks(pool, [&](std::uint64_t) { return scan.pick(); }));
    nothing.add(time_picks(pool, [&](std::uint64_t hash) { return hash % servers; }));
  }
  std::printf("\n%zu servers%25s %8s %10s\n", servers, "min", "median", "making");
  for (std::size_t a = 0; a < balancers.size(); ++a) {
    Times making;
    for (int round = 0; round < kRounds; ++round)
      making.add(time_ns(1, [&] { return pool.make(algorithms()[a].name)->pick({}); }));
    std::printf("  %-24s %8.1f %8.1f %10.2f\n", algorithms()[a].name, times[a].min(),
                times[a].median(), making.min() / 1e6);
  }
  std::printf("  %-24s %8.1f %8.1f\n", "locked scan", plain.min(), plain.median());
  std::printf("  %-24s %8.1f %8.1f\n", "(the pass itself)", nothing.min(), nothing.median());
}

}  // namespace nfsteer::bench
