// Balancers that choose by a hash of the flow.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "balance/darts.hpp"
#include "pool.hpp"
#include "simulation.hpp"

using namespace nfsteer;
using testing::homes;
using testing::TestPool;

namespace {

constexpr const char* kHashing[] = {"hash", "maglev", "rendezvous", "bounded-hash"};
constexpr std::uint64_t kFlows = 100'000;

// The identities of the servers of the flows.
std::vector<std::uint64_t> identities(TestPool& pool, const char* algorithm) {
  std::vector<std::uint64_t> result;
  for (const std::size_t home : homes(*pool.make(algorithm), kFlows))
    result.push_back(pool.members[home].identity);
  return result;
}

}  // namespace

TEST_CASE("hashing: the same everywhere, whatever the order of the servers") {
  for (const char* algorithm : kHashing) {
    CAPTURE(std::string(algorithm));
    TestPool pool(50, {1, 2, 7});
    const auto first = identities(pool, algorithm);
    std::reverse(pool.members.begin(), pool.members.end());
    CHECK(identities(pool, algorithm) == first);
    std::rotate(pool.members.begin(), pool.members.begin() + 17, pool.members.end());
    CHECK(identities(pool, algorithm) == first);
  }
}

TEST_CASE("hashing: another seed, another choice") {
  for (const char* algorithm : kHashing) {
    CAPTURE(std::string(algorithm));
    TestPool pool(10);
    const auto first = homes(*pool.make(algorithm), kFlows);
    CHECK(homes(*pool.make(algorithm), kFlows) == first);
    pool.seed = 2;
    const auto other = homes(*pool.make(algorithm), kFlows);
    std::size_t same = 0;
    for (std::size_t i = 0; i < kFlows; ++i) same += first[i] == other[i];
    CHECK(same < kFlows / 5);  // a tenth by chance
  }
}

TEST_CASE("hashing: what they hash of a flow if nobody says") {
  for (const char* algorithm : kHashing)
    CHECK(find_algorithm(algorithm)->hashes ==
          (algorithm == kHashing[0] ? Algorithm::Hashes::Source : Algorithm::Hashes::Tuple));
}

TEST_CASE("maglev: shares of a million picks") {
  TestPool alike(100);
  CHECK(testing::share_error(alike, testing::picked(alike, *alike.make("maglev"), 1'000'000))
            .relative < 0.03);
  TestPool pool(5, {1, 2, 3, 10, 50});
  CHECK(
      testing::share_error(pool, testing::picked(pool, *pool.make("maglev"), 1'000'000)).absolute <
      0.001);
}

TEST_CASE("maglev: the shares of the table are exact to a slot, and nobody has none") {
  constexpr std::uint64_t kSlots = 65'537;
  for (const std::vector<std::uint32_t>& weights :
       {std::vector<std::uint32_t>{1, 2, 3, 10, 50}, {1, 10'000}, {7}}) {
    TestPool pool(30, weights);
    const auto balancer = pool.make("maglev");
    std::vector<std::uint32_t> slots(30);
    for (std::uint64_t slot = 0; slot < kSlots; ++slot)
      ++slots[balancer->pick({((slot << 32) / kSlots + 1) << 32, 0, Turn::Take})];
    double sum = 0;
    for (const Member& member : pool.members) sum += member.weight;
    for (std::size_t i = 0; i < 30; ++i) {
      CHECK(slots[i] >= 1);
      CHECK(std::abs(slots[i] - pool.members[i].weight / sum * kSlots) <= 1);
    }
  }
}

TEST_CASE("hashing: one of a hundred goes and returns, and only its own flows move") {
  for (const char* algorithm : {"hash", "maglev", "rendezvous"})
    for (const std::vector<std::uint32_t>& weights :
         {std::vector<std::uint32_t>{1}, {1, 2, 3, 10, 50}, {1, 100, 100, 100, 10'000}}) {
      CAPTURE(std::string(algorithm));
      TestPool pool(100, weights);
      const auto before = homes(*pool.make(algorithm), kFlows);
      pool.members[4].portion = 0;
      const auto without = homes(*pool.make(algorithm), kFlows);
      std::map<std::size_t, std::size_t> heirs;
      for (std::size_t i = 0; i < kFlows; ++i) {
        if (before[i] != 4)
          CHECK(without[i] == before[i]);
        else
          ++heirs[without[i]];
      }
      CHECK(heirs.size() > 50);  // they are spread
      CHECK(!heirs.contains(4));
      // While it starts slowly its own come back one by one, and stay.
      auto last = without;
      for (const double portion : {0.1, 0.5, 0.9, 1.0}) {
        pool.members[4].portion = portion;
        const auto now = homes(*pool.make(algorithm), kFlows);
        for (std::size_t i = 0; i < kFlows; ++i) CHECK((now[i] == last[i] || now[i] == 4));
        last = now;
      }
      CHECK(last == before);
    }
}

TEST_CASE("maglev: those who remain share what is left by weight") {
  TestPool pool(20, {1, 4});
  for (std::size_t i = 10; i < 20; ++i) pool.members[i].portion = 0;
  const auto counts = testing::picked(pool, *pool.make("maglev"), 200'000);
  for (std::size_t i = 0; i < 10; ++i)
    CHECK(std::abs(counts[i] / (200'000 * pool.members[i].weight / 25.0) - 1) < 0.08);
}

TEST_CASE("maglev: a server that starts slowly has the portion of what is its own") {
  TestPool pool(4);
  pool.members[1].portion = 0.2;
  const auto counts = testing::picked(pool, *pool.make("maglev"), 1'000'000);
  CHECK(std::abs(counts[1] / 1e6 - 0.2 / 4) < 0.002);
}

TEST_CASE("darts: a heavy server that starts slowly, and only its own slots move") {
  constexpr std::size_t kSlots = 65'537;
  TestPool pool(6, {1, 1, 10'000});
  for (Member& member : pool.members) member.portion = member.weight == 1 ? 1 : 0.001;
  const std::size_t slow = 2;
  // Two slots of three were its own; the others belong to those that stay.
  Slots former(kSlots);
  for (std::size_t slot = 0; slot < kSlots; ++slot)
    former[slot] = static_cast<std::uint16_t>(slot % 3 == 0 ? slot / 3 % 6 : slow);
  Slots last;
  for (const double portion : {0.0, 0.001, 0.1, 0.5, 0.9}) {
    CAPTURE(portion);
    pool.members[slow].portion = portion;
    Slots slots = former;
    CHECK(throw_darts(pool.members, 1, std::vector<bool>(kSlots, true), slots) <= 18 * kSlots);
    for (std::size_t slot = 0; slot < kSlots; ++slot) {
      CHECK(slots[slot] != former[slot]);
      if (!last.empty()) CHECK((slots[slot] == last[slot] || slots[slot] == slow));
    }
    last = slots;
  }
}

TEST_CASE("hashing: weights of 10,000 to 1 while the heavy one starts slowly") {
  for (const char* algorithm : {"hash", "maglev", "rendezvous"})
    for (const std::size_t servers : {2u, 3u, 20u}) {
      CAPTURE(std::string(algorithm));
      CAPTURE(servers);
      TestPool pool(servers);
      pool.members[1].weight = 10'000;
      auto last = homes(*pool.make(algorithm), kFlows);
      const auto whole = last;
      for (const double portion : {0.9, 0.5, 0.1, 0.0}) {
        pool.members[1].portion = portion;
        const auto now = homes(*pool.make(algorithm), kFlows);
        for (std::size_t i = 0; i < kFlows; ++i) CHECK((now[i] == last[i] || last[i] == 1));
        last = now;
      }
      pool.members[1].portion = 1;
      CHECK(homes(*pool.make(algorithm), kFlows) == whole);
    }
}

TEST_CASE("maglev: what a heavy server gives up is shared by weight") {
  TestPool pool(11, {1, 3});
  pool.members[0].weight = 10'000;
  pool.members[0].portion = 0.5;
  const auto counts = testing::picked(pool, *pool.make("maglev"), 400'000);
  CHECK(std::abs(counts[0] / 4e5 - 0.5) < 0.01);
  for (std::size_t i = 1; i < 11; ++i)
    CHECK(std::abs(counts[i] / (2e5 * pool.members[i].weight / 20) - 1) < 0.08);
}

TEST_CASE("rendezvous: a server that is added takes only what becomes its own") {
  for (const std::vector<std::uint32_t>& weights : {std::vector<std::uint32_t>{3, 1}, {1, 10'000}})
    for (const std::ptrdiff_t place : {40, 41}) {
      TestPool pool(100, weights);
      const auto all = identities(pool, "rendezvous");
      const auto added = pool.members.begin() + place;
      const std::uint64_t identity = added->identity;
      pool.members.erase(added);
      const auto without = identities(pool, "rendezvous");
      for (std::size_t i = 0; i < kFlows; ++i) CHECK((all[i] == without[i] || all[i] == identity));
    }
}

TEST_CASE("rendezvous: shares are those of chance") {
  TestPool pool(10, {1, 3});
  CHECK(testing::share_error(pool, testing::picked(pool, *pool.make("rendezvous"), 1'000'000))
            .relative < 0.05);
}

TEST_CASE("bounded hash: the owner's, until it has too much") {
  TestPool pool(10);
  const auto maglev = pool.make("maglev"), bounded = pool.make("bounded-hash");
  for (std::size_t i = 0; i < 10; ++i) pool.load(i, 100);
  CHECK(homes(*bounded, kFlows) == homes(*maglev, kFlows));
  pool.load(3, 1'000);
  std::map<std::size_t, int> heirs;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    const Pick pick{mix(i), 0, Turn::Take};
    const std::size_t owner = maglev->pick(pick);
    if (owner != 3)
      CHECK(bounded->pick(pick) == owner);
    else
      ++heirs[bounded->pick(pick)];
  }
  CHECK(heirs.size() == 9);
  CHECK(!heirs.contains(3));
}

TEST_CASE("bounded hash: the mean is that of the servers that take flows") {
  for (const std::size_t servers : {3u, 26u}) {
    CAPTURE(servers);
    TestPool pool(servers);
    pool.load(1, 30'000);
    pool.members[1].portion = 0;
    const auto balancer = pool.make("bounded-hash");
    for (std::uint32_t flows = 1; flows <= 600; ++flows) {
      const std::size_t chosen = balancer->pick({0, 0, Turn::Take});  // all of one client
      pool.gauges.assign(pool.members[chosen].id);
      CHECK(pool.gauges[pool.members[chosen].id].load() <=
            std::ceil(1.25 * flows / static_cast<double>(servers - 1)));
    }
  }
}

TEST_CASE("bounded hash: of many servers the mean is 16 choices old at most") {
  TestPool pool(30);
  const auto balancer = pool.make("bounded-hash");
  const std::size_t owner = pool.make("maglev")->pick({});
  for (std::size_t i = 0; i < 30; ++i) pool.load(i, 100);
  CHECK(balancer->pick({}) == owner);
  for (std::size_t i = 0; i < 30; ++i)
    if (i != owner) pool.load(i, -100);
  for (int i = 0; i < 15; ++i) balancer->pick({});
  CHECK(balancer->pick({}) != owner);
}

TEST_CASE("bounded hash: no server above the bound, with clients that come again and again") {
  static constexpr struct {
    std::size_t servers;
    std::uint32_t factor;
  } kCases[] = {{20, 101}, {20, 125}, {20, 300}, {60, 101}};
  for (const auto& row : kCases) {
    CAPTURE(row.servers);
    CAPTURE(row.factor);
    TestPool pool(row.servers, {1, 2, 5});
    pool.factor = row.factor;
    const auto balancer = pool.make("bounded-hash");
    double shares = 0;
    for (const Member& member : pool.members) shares += member.share();
    std::uint64_t busiest = 0;
    for (std::uint64_t i = 0; i < 20'000; ++i) {
      const std::uint64_t hash = i % 2 == 0 ? mix(i) : mix(i % 3);  // half of three clients
      const std::size_t chosen = balancer->pick({hash, 0, Turn::Take});
      pool.gauges.assign(pool.members[chosen].id);
      const double bound = std::ceil(row.factor / 100.0 * static_cast<double>(i + 1) *
                                         pool.members[chosen].share() / shares +
                                     1e-6);
      CHECK(pool.gauges[pool.members[chosen].id].load() <= bound);
      busiest += pool.gauges[pool.members[chosen].id].load() >= bound;
    }
    CHECK(busiest > 0);
  }
}

TEST_CASE("bounded hash: the owner again where all have too much") {
  TestPool pool(30);
  pool.factor = 100;
  const auto bounded = pool.make("bounded-hash");
  bounded->pick({});
  for (std::size_t i = 0; i < 30; ++i) pool.load(i, 10);  // of so many it hears later
  CHECK(homes(*bounded, 15) == homes(*pool.make("maglev"), 15));
}
