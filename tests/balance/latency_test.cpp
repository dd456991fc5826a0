// Balancers that choose by how fast servers answer.
#include "balance/latency.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "pool.hpp"
#include "simulation.hpp"

using namespace nfsteer;
using testing::simulate_latency;
using testing::TestPool;

namespace {

double part_of(const std::vector<std::uint32_t>& counts, std::size_t server) {
  return counts[server] / std::accumulate(counts.begin(), counts.end(), 0.0);
}

}  // namespace

TEST_CASE("a latency halves with time, and one that is not known is the fastest's") {
  static constexpr struct {
    std::uint32_t known_us, age_s, want_us;
  } kCases[] = {
      {0, 0, 77},
      {0, 1'000, 77},
      {8'000, 0, 8'000},
      {8'000, 15, 6'000},
      {8'000, 30, 4'000},
      {8'000, 45, 3'000},
      {8'000, 60, 2'000},
      {8'000, 90, 1'000},
      {8'000, 1'000, 1},
      {1, 30, 1},
      {8'000, 0xffff'ffff, 8'000},  // the other thread's clock is ahead
      {0xffff'ffff, 30, 0x7fff'ffff},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.known_us);
    CAPTURE(row.age_s);
    Gauge gauge;
    gauge.latency_us = row.known_us;
    gauge.sampled_s = 5'000;
    CHECK(latency_now(gauge, 5'000 + row.age_s, 77) == row.want_us);
  }
}

TEST_CASE("least latency: a slow server gets next to nothing, and is found fast again") {
  for (const std::size_t servers : {2u, 3u, 10u}) {
    CAPTURE(servers);
    TestPool pool(servers);
    const auto balancer = pool.make("least-latency");
    std::vector<std::uint32_t> latency_us(servers, 500);
    latency_us[1] = 5'000;
    simulate_latency(pool, *balancer, latency_us, 1'000, {1, 3});
    const auto slow = simulate_latency(pool, *balancer, latency_us, 1'000, {3, 30});
    CHECK(slow[1] > 0);
    CHECK(part_of(slow, 1) <= 0.02);
    latency_us[1] = 500;
    simulate_latency(pool, *balancer, latency_us, 1'000, {30, 60});
    const auto again = simulate_latency(pool, *balancer, latency_us, 1'000, {60, 70});
    CHECK(part_of(again, 1) > 0.8 / static_cast<double>(servers));
  }
}

TEST_CASE("least latency: weights hold among servers of one speed") {
  TestPool pool(3, {1, 2, 5});
  for (std::size_t i = 0; i < 3; ++i) pool.know(i, 700);
  const auto counts = testing::picked(pool, *pool.make("least-latency"), 100'000);
  CHECK(testing::share_error(pool, counts).absolute < 0.01);
}

TEST_CASE("least latency: twice as slow, a quarter of the flows") {
  TestPool pool(2);
  pool.know(0, 400);
  pool.know(1, 800);
  const auto counts = testing::picked(pool, *pool.make("least-latency"), 100'000);
  CHECK(std::abs(part_of(counts, 1) - 0.2) < 0.01);
}

TEST_CASE("by latency: even a very slow server is tried again, also by few flows") {
  for (const char* algorithm : {"least-latency", "peak-ewma"}) {
    CAPTURE(std::string(algorithm));
    TestPool pool(3);
    const auto balancer = pool.make(algorithm);
    const std::vector<std::uint32_t> recovered(3, 500);
    for (std::size_t i = 0; i < 3; ++i) pool.know(i, i == 1 ? 2'000'000 : 500, 1);
    const auto early = simulate_latency(pool, *balancer, recovered, 2, {1, 60});
    CHECK(early[1] == 0);
    simulate_latency(pool, *balancer, recovered, 2, {60, 1'800});
    const auto late = simulate_latency(pool, *balancer, recovered, 2, {1'800, 2'400});
    CHECK(part_of(late, 1) > 0.2);
  }
}

TEST_CASE("by latency: a server that nobody knows yet is as good as the fastest") {
  for (const char* algorithm : {"least-latency", "peak-ewma"}) {
    CAPTURE(std::string(algorithm));
    TestPool pool(10);
    for (std::size_t i = 1; i < 10; ++i) pool.know(i, 1'000);
    const auto counts = testing::picked(pool, *pool.make(algorithm), 10'000);
    CHECK(std::abs(part_of(counts, 0) - 0.1) < 0.015);
  }
}

TEST_CASE("peak ewma: latency times flows") {
  static constexpr struct {
    std::uint32_t first_us, second_us;
    std::int32_t first_flows, second_flows;
    std::size_t want;
  } kCases[] = {
      {100, 200, 0, 0, 0}, {200, 100, 0, 0, 1},   {100, 200, 2, 0, 1},  // 3 * 100 against 200
      {100, 200, 2, 2, 0}, {100, 1'000, 8, 0, 0}, {100, 1'000, 10, 0, 1},
  };
  for (const auto& row : kCases) {
    TestPool pool(2);
    pool.know(0, row.first_us);
    pool.know(1, row.second_us);
    pool.load(0, row.first_flows);
    pool.load(1, row.second_flows);
    const auto balancer = pool.make("peak-ewma");
    for (int i = 0; i < 20; ++i) CHECK(balancer->pick({}) == row.want);
  }
}

TEST_CASE("peak ewma: a slow server gets few flows") {
  TestPool pool(10);
  const auto balancer = pool.make("peak-ewma");
  std::vector<std::uint32_t> latency_us(10, 500);
  latency_us[4] = 5'000;
  const auto counts = simulate_latency(pool, *balancer, latency_us, 500, {1, 20});
  CHECK(part_of(counts, 4) < 0.03);
  CHECK(counts[4] > 0);
}
