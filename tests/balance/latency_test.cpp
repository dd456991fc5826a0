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

TEST_CASE("a latency halves with time down to the fastest, and is that if not known") {
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
      {8'000, 190, 104},
      {8'000, 210, 77},
      {8'000, 1'000, 77},
      {5'000'000, 1'000, 77},
      {77, 30, 77},
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

TEST_CASE("the fastest counts for twice as much after a time without a sample") {
  struct Known {
    std::uint32_t latency_us, age_s;
  };
  static const struct {
    std::vector<Known> known;
    std::uint32_t want_us;
  } kCases[] = {
      {{{500, 0}, {400, 29}}, 400},
      {{{500, 0}, {400, 30}}, 500},
      {{{500, 0}, {0, 0}}, 500},
      {{{5'000'000, 0}, {500, 40}}, 1'000},  // one that failed is not the measure
      {{{5'000'000, 0}, {5'000'000, 3}}, 5'000'000},
      {{{500, 0xffff'ffff}, {600, 0}}, 500},  // the other thread's clock is ahead
      {{{500, 100'000}}, 0xffff'ffff},
      {{{0, 0}}, 0xffff'ffff},
  };
  for (const auto& row : kCases) {
    std::vector<Gauge> gauges(row.known.size());
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < gauges.size(); ++i) {
      gauges[i].latency_us = row.known[i].latency_us;
      gauges[i].sampled_s = 200'000 - row.known[i].age_s;
      candidates.push_back({&gauges[i], 1, static_cast<std::uint16_t>(i)});
    }
    CHECK(Fastest().latency_us(candidates, {0, 200'000, Turn::Take}) == row.want_us);
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

TEST_CASE("by latency: a server that fails gets next to nothing, and flows again when it answers") {
  static constexpr struct {
    const char* algorithm;
    std::size_t servers;
    std::uint32_t flows_per_s;
    double most;
  } kCases[] = {
      {"least-latency", 3, 200, 0.02}, {"least-latency", 10, 200, 0.02},
      {"least-latency", 3, 1, 0.02},   {"peak-ewma", 3, 200, 0.02},
      {"peak-ewma", 10, 200, 0.02},
  };
  for (const auto& row : kCases) {
    CAPTURE(std::string(row.algorithm));
    CAPTURE(row.servers);
    CAPTURE(row.flows_per_s);
    TestPool pool(row.servers);
    const auto balancer = pool.make(row.algorithm);
    std::vector<std::uint32_t> latency_us(row.servers, 500);
    latency_us[1] = testing::kFails;
    simulate_latency(pool, *balancer, latency_us, row.flows_per_s, {1, 20});
    const auto failing =
        simulate_latency(pool, *balancer, latency_us, row.flows_per_s, {20, 1'800});
    CHECK(part_of(failing, 1) <= row.most);
    latency_us[1] = 500;
    simulate_latency(pool, *balancer, latency_us, row.flows_per_s, {1'800, 2'400});
    const auto again =
        simulate_latency(pool, *balancer, latency_us, row.flows_per_s, {2'400, 2'500});
    CHECK(part_of(again, 1) > 0.7 / static_cast<double>(row.servers));
  }
}

TEST_CASE("least latency: a server of which nothing is heard gets its share, not more") {
  for (const std::uint32_t before_us : {0u, 100u, 500u}) {
    CAPTURE(before_us);
    TestPool pool(3);
    const auto balancer = pool.make("least-latency");
    pool.know(1, before_us, 1);
    const std::vector<std::uint32_t> latency_us{500, testing::kSilent, 500};
    simulate_latency(pool, *balancer, latency_us, 200, {1, 120});
    const auto silent = simulate_latency(pool, *balancer, latency_us, 200, {120, 1'200});
    CHECK(std::abs(part_of(silent, 1) - 1 / 3.0) < 0.02);
  }
}
