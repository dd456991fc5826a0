// Balancers that choose by what servers have to do, and those that choose by chance.
#include <doctest/doctest.h>

#include "pool.hpp"
#include "simulation.hpp"

using namespace nfsteer;
using testing::simulate_loads;
using testing::TestPool;

TEST_CASE("least connections: who has least for its weight") {
  static const struct {
    std::vector<std::uint32_t> weights;
    std::vector<std::int32_t> loads;
    std::size_t want;
  } kCases[] = {
      {{1}, {7}, 0},
      {{1, 1}, {7, 6}, 1},
      {{1, 1, 1}, {2, 0, 1}, 1},
      {{10, 1}, {8, 0}, 0},   // 0.9 against 1
      {{10, 1}, {10, 0}, 1},  // 1.1 against 1
      {{10'000, 1}, {9'998, 0}, 0},
      {{10'000, 1}, {10'000, 0}, 1},
      {{1, 1}, {-3, 0}, 0},  // ended twice: nothing, not less than nothing
      {{1, 1}, {100'000'000, 99'999'999}, 1},
  };
  for (const auto& row : kCases) {
    TestPool pool(row.weights.size(), row.weights);
    for (std::size_t i = 0; i < row.loads.size(); ++i) pool.load(i, row.loads[i]);
    CHECK(pool.make("least-connections")->pick({}) == row.want);
  }
}

TEST_CASE("least connections: the choice follows the flows") {
  TestPool pool(3);
  const auto balancer = pool.make("least-connections");
  pool.load(0, 5);
  pool.load(1, 3);
  pool.load(2, 9);
  CHECK(balancer->pick({}) == 1);
  pool.load(1, 3);
  CHECK(balancer->pick({}) == 0);
  pool.load(2, -8);
  CHECK(balancer->pick({}) == 2);
}

TEST_CASE("least connections: equal servers take turns, however many") {
  for (const std::size_t servers : {3u, 24u, 25u, 100u}) {
    TestPool pool(servers);
    const auto balancer = pool.make("least-connections");
    for (std::size_t i = 0; i < 3 * servers; ++i) CHECK(balancer->pick({}) == i % servers);
  }
}

TEST_CASE("least connections: in a large group an idle server is found within a round") {
  TestPool pool(300);
  for (std::size_t i = 0; i < 300; ++i) pool.load(i, 50);
  pool.load(211, -50);
  const auto balancer = pool.make("least-connections");
  const auto counts = testing::picked(pool, *balancer, 300);
  CHECK(counts[211] >= 24);
}

TEST_CASE("least connections: flows that come and end at random") {
  for (const std::size_t servers : {10u, 100u, 300u}) {
    CAPTURE(servers);
    TestPool pool(servers);
    CHECK(simulate_loads(pool, "least-connections", 100, 5).worst <= 102);
  }
}

TEST_CASE("least connections: a few heavy servers among many light ones") {
  std::vector<std::uint32_t> weights(50, 1);
  weights.resize(100, 100);
  TestPool pool(100, weights);
  const auto loads = simulate_loads(pool, "least-connections", 1'000, 2);
  CHECK(loads.worst <= 1.05 * 1'000 * 100 / 5'050);
}

TEST_CASE("two random: flows that come and end at random") {
  TestPool pool(100);
  CHECK(simulate_loads(pool, "two-random", 100, 5).worst <= 105);
  TestPool one_by_chance(100);
  CHECK(simulate_loads(one_by_chance, "random", 100, 5).worst > 115);
}

TEST_CASE("two random: of two servers always the one with less to do") {
  TestPool pool(2, {1, 1'000});  // the second is drawn twice nearly always
  pool.load(1, 5'000);
  const auto balancer = pool.make("two-random");
  for (int i = 0; i < 100; ++i) CHECK(balancer->pick({}) == 0);
  pool.load(0, 10);
  for (int i = 0; i < 100; ++i) CHECK(balancer->pick({}) == 1);
}

TEST_CASE("random: the shares of a million picks, within what chance allows") {
  TestPool pool(5, {1, 2, 3, 10, 50});
  const auto weighted = testing::picked(pool, *pool.make("weighted-random"), 1'000'000);
  CHECK(testing::share_error(pool, weighted).absolute < 0.002);
  TestPool alike(100);
  const auto counts = testing::picked(alike, *alike.make("random"), 1'000'000);
  CHECK(testing::share_error(alike, counts).relative < 0.05);
}

TEST_CASE("random: neighbours do not follow one another more often than others") {
  TestPool pool(10);
  const auto balancer = pool.make("random");
  std::vector<std::vector<int>> pairs(10, std::vector<int>(10));
  std::size_t last = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::size_t next = balancer->pick({});
    ++pairs[last][next];
    last = next;
  }
  for (const auto& row : pairs)
    for (const int count : row) {
      CHECK(count > 850);
      CHECK(count < 1'150);
    }
}
