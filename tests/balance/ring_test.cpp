#include "balance/ring.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <numeric>
#include <string>
#include <thread>

#include "balance/apportion.hpp"
#include "pool.hpp"

using namespace nfsteer;
using testing::TestPool;

namespace {

using Weights = std::vector<std::uint32_t>;

std::string letters(const std::vector<std::uint16_t>& ring) {
  std::string text;
  for (const std::uint16_t index : ring) text += static_cast<char>('a' + index);
  return text;
}

}  // namespace

TEST_CASE("seats: in the ratio of the weights, none for nothing, one for anything") {
  static const struct {
    Weights weights;
    std::uint32_t seats;
    Weights want;
  } kCases[] = {
      {{1}, 5, {5}},
      {{1, 1}, 4, {2, 2}},
      {{1, 1}, 5, {3, 2}},  // of equal remainders the first
      {{1, 2}, 4, {1, 3}},
      {{3, 0, 3}, 4, {2, 0, 2}},
      {{1, 1'000}, 10, {1, 9}},        // 0.01 seats are one
      {{1, 1, 1'000}, 10, {1, 1, 8}},  // and the heaviest gives them
      {{10'000, 10'000}, 2, {1, 1}},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.seats);
    CHECK(apportion(row.weights, row.seats) == row.want);
  }
}

TEST_CASE("smooth ring: the exact order of small weights") {
  static const struct {
    Weights weights;
    const char* want;
  } kCases[] = {
      {{1}, "a"},
      {{7}, "a"},
      {{1, 1, 1}, "abc"},
      {{2, 1}, "aba"},
      {{100, 50}, "aba"},  // the common divisor is taken out
      {{5, 1, 1}, "aaabcaa"},
      {{3, 2}, "ababa"},
      {{3, 0, 2}, "acaca"},  // a weight of 0 has no place
  };
  for (const auto& row : kCases) {
    CAPTURE(row.want);
    CHECK(letters(smooth_ring(row.weights)) == row.want);
  }
}

TEST_CASE("smooth ring: shares are exact, and no run strays from them") {
  for (const Weights& weights :
       {Weights{5, 1, 1, 3, 7, 2, 9, 4}, Weights{10'000, 1}, Weights{1, 2, 3, 10, 50}}) {
    const auto ring = smooth_ring(weights);
    const std::uint32_t total = std::accumulate(weights.begin(), weights.end(), 0u);
    REQUIRE(ring.size() == total);
    Weights seen(weights.size());
    for (std::size_t at = 0; at < ring.size(); ++at) {
      ++seen[ring[at]];
      for (std::size_t i = 0; i < weights.size(); ++i) {
        const double due = static_cast<double>(at + 1) * weights[i] / total;
        CHECK(std::abs(seen[i] - due) <= 1.5);
      }
    }
    CHECK(seen == weights);
  }
}

TEST_CASE("smooth ring: weights without a common divisor are rounded, none to nothing") {
  Weights weights(100, 9'973);
  weights[0] = 1;
  weights[99] = 10'000;
  const auto ring = smooth_ring(weights);
  CHECK(ring.size() == kRingMax);
  Weights seen(weights.size());
  for (const std::uint16_t index : ring) ++seen[index];
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    CHECK(seen[i] >= 1);
    const double share = static_cast<double>(seen[i]) / static_cast<double>(ring.size());
    CHECK(std::abs(share - weights[i] / total) <= 1.0 / kRingMax + 1e-9);
  }
}

TEST_CASE("round robin: in turn, whatever the weights, and round again") {
  TestPool pool(3, {5, 1, 1});
  const auto balancer = pool.make("round-robin");
  for (std::size_t i = 0; i < 9; ++i) CHECK(balancer->pick({i * 77, 0, Turn::Take}) == i % 3);
}

TEST_CASE("the order goes on where the last balancer stopped") {
  TestPool pool(3);
  CHECK(pool.make("round-robin")->pick({}) == 0);
  CHECK(pool.make("round-robin")->pick({}) == 1);
  CHECK(pool.make("round-robin")->pick({0, 0, Turn::Peek}) == 2);
  CHECK(pool.make("round-robin")->pick({}) == 2);
}

TEST_CASE("in turn: a server that starts slowly gets the portion of its turns") {
  for (const char* algorithm : {"round-robin", "weighted"}) {
    CAPTURE(std::string(algorithm));
    TestPool pool(3);
    pool.members[1].portion = 0.25;
    pool.members[2].portion = 0;
    CHECK(testing::picked(pool, *pool.make(algorithm), 5'000) == Weights{4'000, 1'000, 0});
  }
}

TEST_CASE("in turn: a million picks are exact") {
  TestPool alike(100);
  CHECK(testing::picked(alike, *alike.make("round-robin"), 1'000'000) == Weights(100, 10'000));
  TestPool pool(5, {1, 2, 3, 10, 50});
  CHECK(testing::picked(pool, *pool.make("weighted"), 66 * 15'000) ==
        Weights{15'000, 30'000, 45'000, 150'000, 750'000});
  CHECK(testing::share_error(pool, testing::picked(pool, *pool.make("weighted"), 1'000'000))
            .absolute < 0.0001);
}

TEST_CASE("in turn: exact over several workers at once") {
  const Weights weights{5, 1, 1, 3, 7, 2, 9, 4};
  TestPool pool(weights.size(), weights);
  const auto balancer = pool.make("weighted");
  constexpr std::uint32_t kThreads = 4, kRounds = 5'000;
  std::vector<std::atomic<std::uint32_t>> seen(weights.size());
  std::vector<std::thread> workers;
  for (std::uint32_t t = 0; t < kThreads; ++t)
    workers.emplace_back([&] {
      for (std::uint32_t i = 0; i < 32 * kRounds; ++i) seen[balancer->pick({})].fetch_add(1);
    });
  for (std::thread& worker : workers) worker.join();
  for (std::size_t i = 0; i < weights.size(); ++i)
    CHECK(seen[i] == weights[i] * kThreads * kRounds);
}
