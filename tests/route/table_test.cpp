#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <unordered_map>

#include "../allocations.hpp"
#include "bgp_table.hpp"
#include "nfsteer/route.hpp"

using namespace nfsteer;

namespace {

const auto kAny = [](const Route&) { return true; };

// -1: no route.
int group_of(const Route* route) {
  return route ? static_cast<int>(route->group) : -1;
}

// The groups of all routes that lookup() asks `usable` of.
std::vector<std::uint32_t> groups_asked(const Table& table, const Address& destination) {
  std::vector<std::uint32_t> asked;
  table.lookup(destination, [&](const Route& route) {
    asked.push_back(route.group);
    return false;
  });
  return asked;
}

// An oracle.
std::vector<std::uint32_t> groups_by_scan(std::vector<Route> routes, const Address& destination) {
  std::stable_sort(routes.begin(), routes.end(), [](const Route& a, const Route& b) {
    if (a.prefix.length != b.prefix.length) return a.prefix.length > b.prefix.length;
    return a.metric < b.metric;
  });
  std::vector<std::uint32_t> groups;
  for (const Route& route : routes)
    if (route.prefix.contains(destination)) groups.push_back(route.group);
  return groups;
}

// An oracle for many routes of different prefixes: a hash table for each length.
class Probes {
 public:
  explicit Probes(const std::vector<Route>& routes) {
    for (const Route& route : routes) {
      const auto& [address, length] = route.prefix;
      lengths_[address.family][length].emplace(address, &route);
    }
  }

  template <typename Usable>
  const Route* lookup(const Address& destination, Usable usable) const {
    for (const auto& [length, routes] : lengths_.at(destination.family))
      if (const auto at = routes.find(masked(destination, length)); at != routes.end())
        if (usable(*at->second)) return at->second;
    return nullptr;
  }

 private:
  struct Hash {
    std::size_t operator()(const Address& address) const noexcept {
      return (address.high ^ address.low >> 5) * 0x9e37'79b9'7f4a'7c15;
    }
  };
  using Routes = std::unordered_map<Address, const Route*, Hash>;
  std::map<Family, std::map<unsigned, Routes, std::greater<>>> lengths_;  // the longest first
};

// The first and the last address of the prefix, one inside, and the one behind.
std::array<Address, 4> telling_addresses(const Prefix& prefix, std::mt19937_64& random) {
  const Address first = prefix.first(), last = prefix.last();
  const Address inside{first.family, first.high | (random() & (first.high ^ last.high)),
                       first.low | (random() & (first.low ^ last.low))};
  Address behind = last;
  if (++behind.low == 0) ++behind.high;
  if (behind.family == Family::V4) behind.low &= 0xffff'ffff;
  return {first, last, inside, behind};
}

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

TEST_CASE("lookup: asks all routes for the destination, in the order of a scan") {
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
      CHECK(groups_asked(table, destination) == groups_by_scan(routes, destination));
    }
  }
}

TEST_CASE("lookup: does not allocate") {
  const Table table("main", 0,
                    {{*parse_prefix("10.0.0.0/8"), 0, 0}, {*parse_prefix("::/0"), 1, 0}});
  const Address v4 = *parse_address("10.1.2.3"), v6 = *parse_address("2001:db8::1");
  const std::uint64_t before = testing::allocations();
  CHECK((table.lookup(v4, kAny) && table.lookup(v6, kAny)));
  CHECK(testing::allocations() == before);
}

TEST_CASE("lookup: nothing in a table without routes") {
  const Table table("empty", 0, {});
  CHECK(table.lookup(*parse_address("10.1.2.3"), kAny) == nullptr);
  CHECK(table.lookup(*parse_address("::"), kAny) == nullptr);
}

TEST_CASE("routes: outer prefixes first, then by metric, then as given") {
  const Table table("main", 0,
                    {{*parse_prefix("::/0"), 0, 0},
                     {*parse_prefix("10.9.0.0/16"), 1, 7},
                     {*parse_prefix("10.9.0.0/16"), 2, 5},
                     {*parse_prefix("10.9.0.0/16"), 3, 5},
                     {*parse_prefix("10.0.0.0/8"), 4, 9},
                     {*parse_prefix("9.0.0.0/8"), 5, 0}});
  std::vector<std::uint32_t> groups;
  for (const Route& route : table.routes()) groups.push_back(route.group);
  CHECK(groups == std::vector<std::uint32_t>{5, 4, 2, 3, 1, 0});
}

TEST_CASE("lookup: agrees with a probe of each length, over the internet's routes") {
  const auto prefixes = testing::read_bgp_table(NFSTEER_SOURCE_DIR);
  if (prefixes.empty()) {
    MESSAGE("SKIPPED: there is no ", testing::kBgpTable);
    return;
  }
  std::vector<Route> routes;
  for (const Prefix& prefix : prefixes)
    routes.push_back({prefix, static_cast<std::uint32_t>(routes.size()), 0});
  const Probes probes(routes);
  const Table table("internet", 0, routes);
  CHECK(table.routes().size() == 901'899 + 160'147);

  std::mt19937_64 random(5);
  std::uint64_t different = 0, found = 0, asked = 0;
  for (int i = 0; i < 300'000; ++i) {
    const Prefix& prefix = prefixes[random() % prefixes.size()];
    const std::uint32_t salt = random() % 2 ? 0 : static_cast<std::uint32_t>(random());
    const auto usable = [&](const Route& route) { return salt == 0 || (route.group ^ salt) % 4; };
    for (const Address& destination : telling_addresses(prefix, random)) {
      const Route* got = table.lookup(destination, usable);
      const Route* want = probes.lookup(destination, usable);
      if (group_of(got) != group_of(want)) ++different;
      if (got) ++found;
      ++asked;
    }
  }
  CHECK(different == 0);
  CHECK(asked == 1'200'000);
  CHECK(found > 900'000);
}
