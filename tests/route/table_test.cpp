#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <unordered_map>

#include "../allocations.hpp"
#include "../bgp_table.hpp"
#include "nfsteer/route.hpp"

using namespace nfsteer;

namespace {

constexpr auto kAny = [](const Route&) { return true; };

Prefix prefix(std::string_view text) {
  return parse_prefix(text).value();
}

// To a group of its own number.
Route route(std::string_view to, std::uint32_t group, std::uint32_t metric = 0,
            std::uint16_t weight = 1) {
  return {.prefix = prefix(to),
          .group = group,
          .weight = weight,
          .metric = metric,
          .identity = identity_of(Action::Steer, std::to_string(group))};
}

using Tiers = std::vector<std::vector<std::uint32_t>>;  // the groups of each

std::vector<std::uint32_t> groups_of(const Table& table, const Table::Tier& tier) {
  std::vector<std::uint32_t> groups;
  for (const Route& each : table.routes().subspan(tier.first, tier.count))
    groups.push_back(each.group);
  return groups;
}

// All tiers for the destination, the best first.
Tiers tiers_of(const Table& table, const Address& destination) {
  Tiers tiers;
  for (auto tier = table.best(destination); tier.count > 0; tier = table.next_best(tier))
    tiers.push_back(groups_of(table, tier));
  return tiers;
}

// An oracle.
Tiers tiers_by_scan(std::vector<Route> routes, const Address& destination) {
  std::erase_if(routes, [&](const Route& each) { return !each.prefix.contains(destination); });
  std::stable_sort(routes.begin(), routes.end(), [](const Route& a, const Route& b) {
    if (a.prefix.length != b.prefix.length) return a.prefix.length > b.prefix.length;
    return a.metric < b.metric;
  });
  Tiers tiers;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (i == 0 || routes[i].prefix != routes[i - 1].prefix ||
        routes[i].metric != routes[i - 1].metric)
      tiers.emplace_back();
    tiers.back().push_back(routes[i].group);
  }
  return tiers;
}

// As decide() goes through a table.
template <typename Usable>
const Route* look_up(const Table& table, const Address& destination, Usable usable) {
  for (auto tier = table.best(destination); tier.count > 0; tier = table.next_best(tier))
    if (const auto chosen = table.choose(tier, 0, usable)) return &table.routes()[*chosen];
  return nullptr;
}

// -1: no route.
int group_of(const Route* route) {
  return route ? static_cast<int>(route->group) : -1;
}

// An oracle for many routes of different prefixes: a hash table for each length.
class Probes {
 public:
  explicit Probes(const std::vector<Route>& routes) {
    for (const Route& each : routes) {
      const auto& [address, length] = each.prefix;
      lengths_[address.family][length].emplace(address, &each);
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
std::array<Address, 4> telling_addresses(const Prefix& around, std::mt19937_64& random) {
  const Address first = around.first(), last = around.last();
  const Address inside{first.family, first.high | (random() & (first.high ^ last.high)),
                       first.low | (random() & (first.low ^ last.low))};
  Address behind = last;
  if (++behind.low == 0) ++behind.high;
  if (behind.family == Family::V4) behind.low &= 0xffff'ffff;
  return {first, last, inside, behind};
}

// The hashes of flows: as they are, and as bad as they can be.
std::vector<std::uint64_t> flow_hashes(bool random, std::size_t count) {
  std::mt19937_64 source(7);
  std::vector<std::uint64_t> hashes;
  for (std::uint64_t i = 0; i < count; ++i) hashes.push_back(random ? source() : i << 32);
  return hashes;
}

// Group 1 to 4 by weight, in one tier.
std::vector<Route> weighted_routes() {
  return {route("10.0.0.0/8", 1, 0, 1), route("10.0.0.0/8", 2, 0, 2), route("10.0.0.0/8", 3, 0, 3),
          route("10.0.0.0/8", 4, 0, 10)};
}

// The group that each flow is given by the table's only tier.
template <typename Usable>
std::vector<std::uint32_t> groups_chosen(const Table& table,
                                         const std::vector<std::uint64_t>& hashes, Usable usable) {
  std::vector<std::uint32_t> groups;
  for (const std::uint64_t hash : hashes)
    groups.push_back(table.routes()[table.choose(table.tier_of(0), hash, usable).value()].group);
  return groups;
}

}  // namespace

TEST_CASE("tiers: longest prefix, then lowest metric; equal ones as given") {
  const Table table(
      "main", 0,
      {route("0.0.0.0/0", 0), route("10.0.0.0/8", 1, 5), route("10.9.0.0/16", 2, 20),
       route("10.9.0.0/16", 3, 10), route("10.9.0.0/16", 4, 10), route("10.9.9.9/32", 5, 99),
       route("2001:db8::/32", 6), route("::/0", 7), route("::/0", 8)});
  const struct {
    const char* destination;
    Tiers want;
  } cases[] = {
      {"192.0.2.1", {{0}}},
      {"10.1.1.1", {{1}, {0}}},
      {"10.9.1.1", {{3, 4}, {2}, {1}, {0}}},
      {"10.9.9.9", {{5}, {3, 4}, {2}, {1}, {0}}},
      {"2001:db8::1", {{6}, {7, 8}}},
      {"2001:db9::1", {{7, 8}}},
      {"::", {{7, 8}}},  // not 0.0.0.0
  };
  for (const auto& row : cases) {
    CAPTURE(row.destination);
    CHECK(tiers_of(table, *parse_address(row.destination)) == row.want);
  }
}

TEST_CASE("tiers: none where no route leads") {
  const Table empty("empty", 0, {});
  const Table one("one", 0, {route("10.0.0.0/8", 0)});
  for (const char* destination : {"11.0.0.0", "9.255.255.255", "::a00:0"}) {
    CHECK(empty.best(*parse_address(destination)).count == 0);
    CHECK(one.best(*parse_address(destination)).count == 0);
  }
}

TEST_CASE("tiers: as a scan of all routes finds them, in random nested tables") {
  std::mt19937_64 random(11);
  const auto any = [&](Family family) {
    return family == Family::V4 ? Address::v4(static_cast<std::uint32_t>(random() % 64) << 26)
                                : Address::v6(random() % 64 << 58, 0);
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<Route> routes;
    for (std::uint32_t i = 0; i < random() % 100; ++i) {
      const Family family = random() % 2 ? Family::V4 : Family::V6;
      const auto length = static_cast<std::uint8_t>(random() % 7);
      routes.push_back({.prefix = {masked(any(family), length), length},
                        .group = i,
                        .metric = static_cast<std::uint32_t>(random() % 3)});
    }
    const Table table("t", 0, routes);
    for (int i = 0; i < 100; ++i) {
      const Address destination = any(random() % 2 ? Family::V4 : Family::V6);
      CHECK(tiers_of(table, destination) == tiers_by_scan(routes, destination));
    }
    // Each route is in the tier that it is of.
    for (std::uint32_t i = 0; i < routes.size(); ++i) {
      const auto [first, count] = table.tier_of(i);
      CHECK((first <= i && i < first + count));
      for (std::uint32_t other = 0; other < routes.size(); ++other) {
        const Route &a = table.routes()[i], &b = table.routes()[other];
        const bool together = a.prefix == b.prefix && a.metric == b.metric;
        CHECK((first <= other && other < first + count) == together);
      }
    }
  }
}

TEST_CASE("routes: outer prefixes first, then by metric, then as given") {
  const Table table("main", 0,
                    {route("::/0", 0), route("10.9.0.0/16", 1, 7), route("10.9.0.0/16", 2, 5),
                     route("10.9.0.0/16", 3, 5), route("10.0.0.0/8", 4, 9), route("9.0.0.0/8", 5)});
  CHECK(groups_of(table, {0, 6}) == std::vector<std::uint32_t>{5, 4, 2, 3, 1, 0});
}

TEST_CASE("routes: a table made of another's routes is as good") {
  const Table before("t", 0, weighted_routes());
  const Table after("t", 0, {before.routes().begin(), before.routes().begin() + 1});
  CHECK(tiers_of(after, *parse_address("10.1.1.1")) == Tiers{{1}});
  CHECK(after.tier_of(0).count == 1);
}

TEST_CASE("default_group: as given") {
  CHECK(Table("t", 7, {}, 3).default_group() == 3);
  CHECK_FALSE(Table("t", 7, {}).default_group().has_value());
}

TEST_CASE("choose: only what is usable") {
  const Table table("t", 0,
                    {route("10.0.0.0/8", 1), route("10.9.0.0/16", 2), route("10.9.0.0/16", 3)});
  const auto shared = table.best(*parse_address("10.9.1.1"));
  const auto single = table.next_best(shared);
  for (std::uint64_t hash = 0; hash < 100; ++hash) {
    for (const std::uint32_t group : {2u, 3u}) {
      const auto only = [&](const Route& each) { return each.group == group; };
      CHECK(table.routes()[table.choose(shared, hash, only).value()].group == group);
      CHECK_FALSE(table.choose(single, hash, only).has_value());
    }
    CHECK(table.choose(single, hash, kAny) == single.first);
    CHECK_FALSE(table.choose(shared, hash, [](const Route&) { return false; }).has_value());
  }
}

TEST_CASE("choose: each route gets the share of its weight") {
  for (const bool random : {true, false}) {
    CAPTURE(random);
    const Table table("t", 0, weighted_routes());
    const auto hashes = flow_hashes(random, 1'000'000);
    std::map<std::uint32_t, double> flows;
    for (const std::uint32_t group : groups_chosen(table, hashes, kAny)) ++flows[group];
    for (const Route& each : table.routes()) {
      const double share = each.weight / 16.0, count = static_cast<double>(hashes.size());
      const double deviation = std::sqrt(count * share * (1 - share));
      CAPTURE(each.weight);
      CHECK(std::abs(flows[each.group] - count * share) < 4 * deviation);
    }
  }
}

TEST_CASE("choose: when a route is not usable only its own flows move, by weight; they come back") {
  const Table table("t", 0, weighted_routes());
  const auto hashes = flow_hashes(true, 300'000);
  const auto before = groups_chosen(table, hashes, kAny);
  for (const std::uint32_t gone : {1u, 2u, 3u, 4u}) {
    CAPTURE(gone);
    const auto without =
        groups_chosen(table, hashes, [gone](const Route& each) { return each.group != gone; });
    std::map<std::uint32_t, double> moved_to;
    std::size_t moved = 0, others_moved = 0;
    for (std::size_t i = 0; i < hashes.size(); ++i) {
      if (before[i] == gone) {
        ++moved_to[without[i]];
        ++moved;
      } else if (before[i] != without[i]) {
        ++others_moved;
      }
    }
    CHECK(others_moved == 0);
    const Route& left = table.routes()[gone - 1];
    for (const Route& each : table.routes()) {
      if (each.group == gone) continue;
      const double share = each.weight / (16.0 - left.weight), count = static_cast<double>(moved);
      const double deviation = std::sqrt(count * share * (1 - share));
      CHECK(std::abs(moved_to[each.group] - count * share) < 4 * deviation);
    }
    CHECK(groups_chosen(table, hashes, kAny) == before);
  }
}

TEST_CASE("choose: neither the order of routes nor the numbers of groups matter") {
  const auto hashes = flow_hashes(true, 10'000);
  const auto chosen = groups_chosen(Table("t", 0, weighted_routes()), hashes, kAny);
  auto turned = weighted_routes();
  std::reverse(turned.begin(), turned.end());
  CHECK(groups_chosen(Table("t", 0, turned), hashes, kAny) == chosen);
  for (Route& each : turned) each.group += 100;
  auto renumbered = groups_chosen(Table("t", 0, turned), hashes, kAny);
  for (std::uint32_t& group : renumbered) group -= 100;
  CHECK(renumbered == chosen);
}

TEST_CASE("choose: a new route takes flows from all, and moves none between others") {
  const auto hashes = flow_hashes(true, 100'000);
  const auto before = groups_chosen(Table("t", 0, weighted_routes()), hashes, kAny);
  auto routes = weighted_routes();
  routes.insert(routes.begin(), route("10.0.0.0/8", 5, 0, 4));
  const auto after = groups_chosen(Table("t", 0, routes), hashes, kAny);
  std::map<std::uint32_t, int> taken_from;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    if (after[i] == 5)
      ++taken_from[before[i]];
    else if (after[i] != before[i])
      FAIL("moved between others");
  }
  CHECK(taken_from.size() == 4);
  const int taken = taken_from[1] + taken_from[2] + taken_from[3] + taken_from[4];
  CHECK(std::abs(taken - 20'000) < 4 * 127);
}

TEST_CASE("identity_of: equal on every machine, and of each target its own") {
  // FNV-1a of the action's number and the name, by another program.
  CHECK(identity_of(Action::Steer, "web") == 0x57ba2c5f);
  CHECK(identity_of(Action::Steer, "dns") == 0x8bf018ea);
  CHECK(identity_of(Action::Drop) == 0x070c6045);
  std::map<std::uint32_t, std::string> seen;
  for (const Action action : {Action::Accept, Action::Drop, Action::Reject})
    CHECK(seen.emplace(identity_of(action), name(action)).second);
  for (int i = 0; i < 1000; ++i)
    CHECK(seen.emplace(identity_of(Action::Steer, "g" + std::to_string(i)), "").second);
}

TEST_CASE("best, next_best, tier_of and choose do not allocate") {
  const Table table(
      "main", 0,
      {route("10.0.0.0/8", 0), route("10.0.0.0/9", 1), route("10.0.0.0/9", 2), route("::/0", 3)});
  const Address v4 = *parse_address("10.1.2.3"), v6 = *parse_address("2001:db8::1");
  const std::uint64_t before = testing::allocations();
  for (const Address& destination : {v4, v6})
    for (auto tier = table.best(destination); tier.count > 0; tier = table.next_best(tier))
      CHECK(table.tier_of(table.choose(tier, 1, kAny).value()).first == tier.first);
  CHECK(testing::allocations() == before);
}

TEST_CASE("best: agrees with a probe of each length, over the internet's routes") {
  const auto prefixes = testing::read_bgp_table(NFSTEER_SOURCE_DIR);
  if (prefixes.empty()) {
    MESSAGE("SKIPPED: there is no ", std::string(testing::kBgpTable));
    return;
  }
  std::vector<Route> routes;
  for (const Prefix& each : prefixes)
    routes.push_back({.prefix = each, .group = static_cast<std::uint32_t>(routes.size())});
  const Probes probes(routes);
  const Table table("internet", 0, routes);
  CHECK(table.routes().size() == 901'899 + 160'147);

  std::mt19937_64 random(5);
  std::uint64_t different = 0, found = 0, asked = 0;
  for (int i = 0; i < 300'000; ++i) {
    const Prefix& around = prefixes[random() % prefixes.size()];
    const std::uint32_t salt = random() % 2 ? 0 : static_cast<std::uint32_t>(random());
    const auto usable = [&](const Route& each) { return salt == 0 || (each.group ^ salt) % 4; };
    for (const Address& destination : telling_addresses(around, random)) {
      const Route* got = look_up(table, destination, usable);
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
