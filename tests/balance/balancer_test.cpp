#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <numeric>
#include <string>
#include <thread>

#include "balance/ring.hpp"
#include "nfsteer/balance.hpp"

using namespace nfsteer;

namespace {

std::vector<Server> servers_of(const std::vector<std::uint32_t>& weights) {
  std::vector<Server> servers;
  for (const std::uint32_t weight : weights)
    servers.push_back(
        {"s", Address::v4(1), std::nullopt, weight, static_cast<ServerId>(servers.size() + 1)});
  return servers;
}

std::string letters(const std::vector<std::uint16_t>& ring) {
  std::string text;
  for (const std::uint16_t index : ring) text += static_cast<char>('a' + index);
  return text;
}

}  // namespace

TEST_CASE("smooth ring: the exact order of small weights") {
  static const struct {
    std::vector<std::uint32_t> weights;
    const char* want;
  } kCases[] = {
      {{1}, "a"},
      {{7}, "a"},
      {{1, 1, 1}, "abc"},
      {{2, 1}, "aba"},
      {{100, 50}, "aba"},  // the common divisor is taken out
      {{5, 1, 1}, "aaabcaa"},
      {{3, 2}, "ababa"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.want);
    CHECK(letters(smooth_ring(row.weights)) == row.want);
  }
}

TEST_CASE("smooth ring: shares are exact, and no run strays from them") {
  for (const std::vector<std::uint32_t>& weights :
       {std::vector<std::uint32_t>{5, 1, 1, 3, 7, 2, 9, 4}, {10'000, 1}, {1, 2, 3, 10, 50}}) {
    const auto ring = smooth_ring(weights);
    const std::uint32_t total = std::accumulate(weights.begin(), weights.end(), 0u);
    REQUIRE(ring.size() == total);
    std::vector<std::uint32_t> seen(weights.size());
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
  std::vector<std::uint32_t> weights(100, 9'973);
  weights[0] = 1;
  weights[99] = 10'000;
  const auto ring = smooth_ring(weights);
  CHECK(ring.size() <= kRingMax + 1);
  std::vector<std::uint32_t> seen(weights.size());
  for (const std::uint16_t index : ring) ++seen[index];
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    CHECK(seen[i] >= 1);
    const double share = static_cast<double>(seen[i]) / static_cast<double>(ring.size());
    CHECK(std::abs(share - weights[i] / total) <= 1.0 / 65'536 + 1e-9);
  }
}

TEST_CASE("round robin: in turn, whatever the weights") {
  const auto servers = servers_of({5, 1, 1});
  Cursor cursor;
  const auto balancer = find_algorithm("round-robin")->make(servers, cursor);
  for (std::size_t i = 0; i < 9; ++i) CHECK(balancer->pick(i * 77, Turn::Take) == i % 3);
}

TEST_CASE("weighted: exact over several workers at once") {
  const auto servers = servers_of({5, 1, 1, 3, 7, 2, 9, 4});
  Cursor cursor;
  const auto balancer = find_algorithm("weighted")->make(servers, cursor);
  constexpr int kThreads = 4, kPicks = 32 * 5'000;
  std::vector<std::atomic<std::uint32_t>> seen(servers.size());
  std::vector<std::thread> workers;
  for (int t = 0; t < kThreads; ++t)
    workers.emplace_back([&] {
      for (int i = 0; i < kPicks; ++i) seen[balancer->pick(0, Turn::Take)].fetch_add(1);
    });
  for (std::thread& worker : workers) worker.join();
  for (std::size_t i = 0; i < servers.size(); ++i)
    CHECK(seen[i] == servers[i].weight * (kThreads * kPicks / 32));
}

TEST_CASE("contract of every balancer") {
  for (const Algorithm& algorithm : algorithms()) {
    CAPTURE(algorithm.name);
    CHECK(find_algorithm(algorithm.name) == &algorithm);
    CHECK(std::string(algorithm.summary).size() > 5);
    for (const std::vector<std::uint32_t>& weights :
         {std::vector<std::uint32_t>{1}, {1, 10'000}, {3, 3, 3}}) {
      const auto servers = servers_of(weights);
      Cursor cursor;
      const auto balancer = algorithm.make(servers, cursor);
      for (std::uint64_t i = 0; i < 1000; ++i) {
        const std::uint64_t flow_hash = i * 0x9e3779b97f4a7c15;
        const std::size_t told = balancer->pick(flow_hash, Turn::Peek);
        CHECK(told < servers.size());
        CHECK(balancer->pick(flow_hash, Turn::Take) == told);
      }
    }
  }
  CHECK(find_algorithm("round_robin") == nullptr);
}

TEST_CASE("a cursor goes on where the last balancer stopped") {
  const auto servers = servers_of({1, 1, 1});
  Cursor cursor;
  CHECK(find_algorithm("round-robin")->make(servers, cursor)->pick(0, Turn::Take) == 0);
  CHECK(find_algorithm("round-robin")->make(servers, cursor)->pick(0, Turn::Take) == 1);
}
