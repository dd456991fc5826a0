#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "nfsteer/route.hpp"

using namespace nfsteer;

namespace {

const auto kAny = [](const Route&) { return true; };

}  // namespace

TEST_CASE("lookup: longest prefix, then lowest metric, then the order given") {
  const Table table("main", 0,
                    {{*parse_prefix("0.0.0.0/0"), 0, 0},
                     {*parse_prefix("10.0.0.0/8"), 1, 5},
                     {*parse_prefix("10.9.0.0/16"), 2, 20},
                     {*parse_prefix("10.9.0.0/16"), 3, 10},
                     {*parse_prefix("10.9.0.0/16"), 4, 10},
                     {*parse_prefix("10.9.9.9/32"), 5, 99},
                     {*parse_prefix("2001:db8::/32"), 6, 0}});
  static constexpr struct {
    const char* destination;
    int want;  // group; -1: no route
  } kCases[] = {
      {"192.0.2.1", 0}, {"10.1.1.1", 1},    {"10.9.1.1", 3},
      {"10.9.9.9", 5},  {"2001:db8::1", 6}, {"2001:db9::1", -1},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.destination);
    const Route* route = table.lookup(*parse_address(row.destination), kAny);
    CHECK((route ? static_cast<int>(route->group) : -1) == row.want);
  }
}

TEST_CASE("lookup: what is not usable is passed over, in order") {
  const Table table("main", 0,
                    {{*parse_prefix("0.0.0.0/0"), 0, 0},
                     {*parse_prefix("10.9.0.0/16"), 1, 20},
                     {*parse_prefix("10.9.0.0/16"), 2, 10}});
  std::vector<std::uint32_t> asked;
  const Route* route = table.lookup(*parse_address("10.9.1.1"), [&](const Route& candidate) {
    asked.push_back(candidate.group);
    return candidate.group == 0;
  });
  REQUIRE(route);
  CHECK(asked == std::vector<std::uint32_t>{2, 1, 0});
}

TEST_CASE("lookup: agrees with a scan of all routes") {
  std::mt19937_64 random(11);
  const auto any = [&](Family family) {
    return family == Family::V4 ? Address::v4(static_cast<std::uint32_t>(random() % 64) << 26)
                                : Address::v6(random() % 64 << 58, 0);
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<Route> routes;
    for (std::uint32_t i = 0; i < 40; ++i) {
      const Family family = random() % 2 ? Family::V4 : Family::V6;
      const auto length = static_cast<std::uint8_t>(random() % 7);
      routes.push_back(
          {{masked(any(family), length), length}, i, static_cast<std::uint32_t>(random() % 3)});
    }
    const Table table("t", 0, routes);
    for (int i = 0; i < 100; ++i) {
      const Address destination = any(random() % 2 ? Family::V4 : Family::V6);
      const Route* want = nullptr;
      for (const Route& route : routes) {
        if (!route.prefix.contains(destination)) continue;
        if (!want || route.prefix.length > want->prefix.length ||
            (route.prefix.length == want->prefix.length && route.metric < want->metric))
          want = &route;
      }
      const Route* got = table.lookup(destination, kAny);
      REQUIRE((got != nullptr) == (want != nullptr));
      if (want) CHECK(got->group == want->group);
    }
  }
}
