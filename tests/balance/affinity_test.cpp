#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "../allocations.hpp"
#include "nfsteer/balance.hpp"

using namespace nfsteer;

namespace {

Address v4(const char* text) {
  return *parse_address(text);
}
Address client(std::uint32_t number) {
  return Address::v4(0x0a00'0000 + number);
}
constexpr Prefix kAll4{Address::v4(0), 0}, kAll6{Address::v6(0, 0), 0};

}  // namespace

TEST_CASE("affinity: a client goes where it was, until it was quiet for too long") {
  Affinity affinity({.timeout_s = 60});
  CHECK(!affinity.find(client(1), 100));
  affinity.keep(client(1), 7, 100);
  CHECK(affinity.find(client(1), 100) == 7);
  CHECK(affinity.find(client(1), 159) == 7);
  CHECK(!affinity.find(client(1), 160));
  CHECK(!affinity.find(client(2), 100));
  affinity.keep(client(1), 7, 150);  // a new flow
  CHECK(affinity.find(client(1), 209) == 7);
  CHECK(!affinity.find(client(1), 210));
  affinity.keep(client(1), 8, 155);  // another server
  CHECK(affinity.find(client(1), 155) == 8);
}

TEST_CASE("affinity: a worker whose clock is a second behind finds the client too") {
  Affinity affinity({.timeout_s = 60});
  affinity.keep(client(1), 7, 101);
  CHECK(affinity.find(client(1), 100) == 7);
  CHECK(affinity.list(kAll4, 100).size() == 1);
}

TEST_CASE("affinity: what of an address is a client") {
  static const struct {
    AffinityConfig config;
    const char *one, *other;
    bool want_same;
  } kCases[] = {
      {{}, "10.0.0.1", "10.0.0.1", true},
      {{}, "10.0.0.1", "10.0.0.2", false},
      {{.v4_bits = 24}, "10.0.0.1", "10.0.0.254", true},
      {{.v4_bits = 24}, "10.0.0.1", "10.0.1.1", false},
      {{.v4_bits = 0}, "10.0.0.1", "192.0.2.1", true},
      {{}, "2001:db8::1", "2001:db8::2", true},  // a /64
      {{}, "2001:db8::1", "2001:db8:0:1::1", false},
      {{.v6_bits = 128}, "2001:db8::1", "2001:db8::2", false},
      {{.v6_bits = 0}, "2001:db8::1", "2001:db9::1", true},
      {{.v4_bits = 0, .v6_bits = 0}, "0.0.0.0", "::", false},  // of two families
  };
  for (const auto& row : kCases) {
    CAPTURE(row.one);
    CAPTURE(row.other);
    Affinity affinity(row.config);
    affinity.keep(v4(row.one), 7, 1);
    CHECK(affinity.find(v4(row.other), 1).has_value() == row.want_same);
  }
}

TEST_CASE("affinity: it lists the clients within a prefix, and forgets them") {
  Affinity affinity({.v4_bits = 24, .timeout_s = 60});
  affinity.keep(v4("10.0.1.9"), 1, 100);
  affinity.keep(v4("10.0.2.9"), 2, 110);
  affinity.keep(v4("10.1.0.9"), 3, 120);
  affinity.keep(v4("2001:db8::9"), 4, 120);
  CHECK(affinity.list(kAll4, 120).size() == 3);
  CHECK(affinity.list(kAll4, 165).size() == 2);  // the first is out of time
  const auto within = affinity.list(*parse_prefix("10.0.2.0/23"), 120);
  REQUIRE(within.size() == 1);
  CHECK(to_string(within[0].client) == "10.0.2.0/24");
  CHECK(within[0].server == 2);
  CHECK(within[0].age_s == 10);
  const auto other = affinity.list(kAll6, 120);
  REQUIRE(other.size() == 1);
  CHECK(to_string(other[0].client) == "2001:db8::/64");

  CHECK(affinity.forget(*parse_prefix("10.0.0.0/16")) == 2);
  CHECK(!affinity.find(v4("10.0.1.9"), 120));
  CHECK(affinity.find(v4("10.1.0.9"), 120) == 3);
  CHECK(affinity.forget(*parse_prefix("10.0.0.0/16")) == 0);
  CHECK(affinity.forget(kAll6) == 1);
  CHECK(affinity.forget(kAll4) == 1);
  CHECK(affinity.list(kAll4, 120).empty());
}

TEST_CASE("affinity: one address is forgotten with the client that it is of") {
  Affinity affinity({.v4_bits = 24});
  affinity.keep(v4("10.0.1.9"), 1, 100);
  CHECK(affinity.list({v4("10.0.1.200"), 32}, 100).size() == 1);
  CHECK(affinity.forget({v4("10.0.1.200"), 32}) == 1);
  CHECK(!affinity.find(v4("10.0.1.9"), 100));
}

TEST_CASE("affinity: no more clients than the most, and the quietest give way") {
  for (const std::uint32_t max : {8u, 1'000u, 5'000u}) {
    CAPTURE(max);
    Affinity affinity({.timeout_s = 1'000, .max = max});
    for (std::uint32_t i = 0; i < 4 * max; ++i) affinity.keep(client(i), 1, i * 100 / max);
    const auto entries = affinity.list(kAll4, 400);
    CHECK(entries.size() <= max);
    CHECK(entries.size() >= max * 9 / 10);
    CHECK(affinity.evictions() == 4 * max - entries.size());
    std::size_t late = 0;
    for (std::uint32_t i = 3 * max; i < 4 * max; ++i) late += affinity.find(client(i), 400) == 1;
    CHECK(late >= max * 8 / 10);
    CHECK(affinity.find(client(4 * max - 1), 400) == 1);
  }
}

TEST_CASE("affinity: who is out of time gives way first, and is not evicted") {
  Affinity affinity({.timeout_s = 10, .max = 64});
  for (std::uint32_t i = 0; i < 64; ++i) affinity.keep(client(i), 1, 100);
  const std::uint64_t before = affinity.evictions();
  for (std::uint32_t i = 64; i < 128; ++i) affinity.keep(client(i), 1, 200);
  std::uint64_t crowded = 0;  // more in a set than it has ways
  for (std::uint32_t i = 64; i < 128; ++i) crowded += !affinity.find(client(i), 200);
  CHECK(affinity.evictions() - before == crowded);
}

TEST_CASE("affinity: as a map that never evicts would have it") {
  constexpr std::uint32_t kTimeout_s = 50;
  Affinity affinity({.timeout_s = kTimeout_s, .max = 100'000});
  std::map<std::uint32_t, std::pair<ServerId, std::uint32_t>> model;
  std::mt19937 random(1);
  std::uint32_t now_s = 0;
  for (int step = 0; step < 200'000; ++step) {
    now_s += random() % 100 == 0;
    const auto number = static_cast<std::uint32_t>(random() % 3'000);
    const auto known = model.find(number);
    const bool is_known = known != model.end() && now_s - known->second.second < kTimeout_s;
    const auto found = affinity.find(client(number), now_s);
    REQUIRE(found.has_value() == is_known);
    if (found) REQUIRE(*found == known->second.first);
    if (random() % 4 == 0) {
      const auto server = static_cast<ServerId>(1 + random() % 4'000);
      affinity.keep(client(number), server, now_s);
      model[number] = {server, now_s};
    } else if (random() % 1'000 == 0) {
      affinity.forget({masked(client(number), 28), 28});
      for (std::uint32_t i = number & ~15u; i <= (number | 15u); ++i) model.erase(i);
    }
  }
  CHECK(affinity.evictions() == 0);
}

TEST_CASE("affinity: finding and keeping allocates nothing") {
  Affinity affinity({.max = 100});
  const std::uint64_t before = testing::allocations();
  for (std::uint32_t i = 0; i < 1'000; ++i) {
    affinity.keep(client(i), 1, i);
    affinity.find(client(i), i);
  }
  CHECK(testing::allocations() == before);
}

TEST_CASE("affinity: many workers, and each client is found at its own server or at none") {
  Affinity affinity({.v6_bits = 128, .max = 64});  // each writes where others read
  std::atomic<std::uint32_t> wrong{0}, found{0};
  std::vector<std::thread> workers;
  for (std::uint32_t t = 0; t < 4; ++t)
    workers.emplace_back([&, t] {
      std::mt19937 random(t);
      for (std::uint32_t i = 0; i < 20'000; ++i) {
        const auto number = static_cast<std::uint32_t>(random() % 200);
        // Two halves that belong together, and a server that belongs to them.
        const Address source = Address::v6(number, ~std::uint64_t{number});
        const auto server = static_cast<ServerId>(number + 1);
        if (random() % 2 == 0) affinity.keep(source, server, 5);
        if (const auto known = affinity.find(source, 5)) {
          ++found;
          if (*known != server) ++wrong;
        }
        if (i % 5'000 == 4'999) affinity.forget(kAll6);
      }
    });
  for (std::thread& worker : workers) worker.join();
  CHECK(wrong == 0);
  CHECK(found > 0);
}
