// What every row of balancers.def keeps.
#include <doctest/doctest.h>

#include <atomic>
#include <cstring>
#include <set>
#include <string>
#include <thread>

#include "../allocations.hpp"
#include "pool.hpp"

using namespace nfsteer;
using testing::TestPool;

namespace {

// Servers with something to do, that differ.
void set_to_work(TestPool& pool) {
  for (std::size_t i = 0; i < pool.members.size(); ++i) {
    pool.load(i, static_cast<std::int32_t>(i * 7 % 5));
    if (i % 3 != 2) pool.know(i, static_cast<std::uint32_t>(100 + i * 331 % 1'000));
  }
}

bool is_one_of(const char* name, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](const char* other) { return std::strcmp(name, other) == 0; });
}

}  // namespace

TEST_CASE("every balancer: it has a name of its own and a summary") {
  std::set<std::string> names;
  for (const Algorithm& algorithm : algorithms()) {
    CAPTURE(std::string(algorithm.name));
    CHECK(names.insert(algorithm.name).second);
    CHECK(find_algorithm(algorithm.name) == &algorithm);
    CHECK(std::string(algorithm.summary).size() > 5);
  }
  CHECK(names.size() == 12);
  CHECK(find_algorithm("round_robin") == nullptr);
  CHECK(find_algorithm("") == nullptr);
}

TEST_CASE("every balancer: Peek tells what Take chooses, and takes nothing") {
  for (const Algorithm& algorithm : algorithms())
    for (const std::size_t servers : {1u, 2u, 3u, 50u}) {
      CAPTURE(std::string(algorithm.name));
      CAPTURE(servers);
      TestPool pool(servers, {1, 10'000, 3});
      set_to_work(pool);
      const auto balancer = pool.make(algorithm.name);
      for (std::uint32_t i = 0; i < 500; ++i) {
        const std::uint64_t hash = mix(i);
        const std::uint32_t now_s = i / 10;  // what is looked for once a second is old
        const std::size_t told = balancer->pick({hash, now_s, Turn::Peek});
        CHECK(balancer->pick({hash, now_s, Turn::Peek}) == told);
        const std::size_t taken = balancer->pick({hash, now_s, Turn::Take});
        CHECK(taken == told);
        REQUIRE(taken < servers);
        pool.gauges.assign(pool.members[taken].id);
        pool.know(taken, 100 + i * 37 % 1'000, now_s);
      }
    }
}

TEST_CASE("every balancer: nobody without a portion is chosen") {
  for (const Algorithm& algorithm : algorithms())
    for (const std::size_t servers : {2u, 10u, 100u})
      for (const bool is_last_alone : {false, true}) {
        CAPTURE(std::string(algorithm.name));
        CAPTURE(servers);
        TestPool pool(servers, {5, 1, 100});
        set_to_work(pool);
        for (std::size_t i = 0; i < servers; ++i)
          if (is_last_alone ? i + 1 < servers : i % 2 == 0) pool.members[i].portion = 0;
        const auto counts = testing::picked(pool, *pool.make(algorithm.name), 5'000);
        for (std::size_t i = 0; i < servers; ++i)
          if (pool.members[i].portion == 0) CHECK(counts[i] == 0);
      }
}

TEST_CASE("every balancer: a thousand servers of any weight") {
  for (const Algorithm& algorithm : algorithms()) {
    CAPTURE(std::string(algorithm.name));
    TestPool pool(1'000, {kWeightMin, kWeightMax, 100});
    const auto balancer = pool.make(algorithm.name);
    for (std::uint64_t i = 0; i < 1'000; ++i)
      CHECK(balancer->pick({mix(i), 0, Turn::Take}) < 1'000);
  }
}

TEST_CASE("every balancer: weights hold for all but two") {
  for (const Algorithm& algorithm : algorithms()) {
    CAPTURE(std::string(algorithm.name));
    TestPool pool(4, {1, 2, 3, 10});
    const auto balancer = pool.make(algorithm.name);
    std::vector<std::uint32_t> counts(4);
    for (std::uint64_t i = 0; i < 16'000; ++i) {  // flows that stay
      const std::size_t chosen = balancer->pick({mix(i), 0, Turn::Take});
      pool.gauges.assign(pool.members[chosen].id);
      ++counts[chosen];
    }
    const double error = testing::share_error(pool, counts).relative;
    if (is_one_of(algorithm.name, {"random", "round-robin"}))
      CHECK(error > 0.5);
    else
      CHECK(error < 0.15);
  }
}

TEST_CASE("every balancer: who starts slowly gets less") {
  for (const Algorithm& algorithm : algorithms()) {
    CAPTURE(std::string(algorithm.name));
    TestPool pool(4);
    pool.members[2].portion = 0.2;
    const auto balancer = pool.make(algorithm.name);
    std::vector<std::uint32_t> counts(4);
    for (std::uint64_t i = 0; i < 16'000; ++i) {
      const std::size_t chosen = balancer->pick({mix(i), 0, Turn::Take});
      pool.gauges.assign(pool.members[chosen].id);
      ++counts[chosen];
    }
    // A fifth of what it will have, or, beside three whole ones, a sixteenth of all.
    CHECK(counts[2] > 0.9 * 800);
    CHECK(counts[2] < 1.1 * 1'000);
  }
}

TEST_CASE("every balancer: a pick allocates nothing") {
  for (const Algorithm& algorithm : algorithms()) {
    CAPTURE(std::string(algorithm.name));
    TestPool pool(100, {1, 5});
    set_to_work(pool);
    pool.load(0, 1'000'000);  // bounded-hash has to go on from it
    const auto balancer = pool.make(algorithm.name);
    const std::uint64_t before = testing::allocations();
    for (std::uint32_t i = 0; i < 1'000; ++i) balancer->pick({mix(i), i / 100, Turn::Take});
    CHECK(testing::allocations() == before);
  }
}

TEST_CASE("every balancer: many workers at once, while servers change") {
  for (const Algorithm& algorithm : algorithms()) {
    CAPTURE(std::string(algorithm.name));
    TestPool pool(20, {1, 5});
    const auto balancer = pool.make(algorithm.name);
    std::atomic<std::uint32_t> wrong{0};
    std::vector<std::thread> workers;
    for (std::uint64_t t = 0; t < 3; ++t)
      workers.emplace_back([&, t] {
        for (std::uint32_t i = 0; i < 3'000; ++i) {
          const std::size_t chosen = balancer->pick({mix(t << 32 | i), i / 1'000, Turn::Take});
          if (chosen >= 20) {
            ++wrong;
            continue;
          }
          pool.gauges.assign(pool.members[chosen].id);
          pool.know(chosen, 100 + i % 900, i / 1'000);
          if (i % 2 == 0) pool.gauges.settle(pool.members[chosen].id);
        }
      });
    for (std::thread& worker : workers) worker.join();
    CHECK(wrong == 0);
    std::uint32_t sum = 0;
    for (const Member& member : pool.members) sum += pool.gauges[member.id].load();
    CHECK(sum == 3 * 1'500);
  }
}
