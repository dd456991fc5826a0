// Configurations and flows by chance, in all fields, out of a world so small that
// flows match often and everything overlaps.
#pragma once

#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "build.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer::testing {

class RandomWorld {
 public:
  // The numbers that choices are made of.
  using Source = std::function<std::uint64_t()>;

  explicit RandomWorld(Source source) : random_(std::move(source)) {}
  explicit RandomWorld(std::uint64_t seed) : RandomWorld(std::mt19937_64(seed)) {}

  std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(random_() % end); }
  bool percent(std::uint32_t share) { return below(100) < share; }

  // Of `policies` at most, and `routes` a table. `fit`: such as validate() takes;
  // otherwise routes may lead to groups that have no server of the family.
  Config config(std::uint32_t policies, std::uint32_t routes, bool fit) {
    Config made;
    made.sets = {{"a", prefixes(1 + below(4))}, {"b", prefixes(1)}, {"c", prefixes(20)}};
    made.schedules = {schedule("day", "08:00", "20:00"), schedule("night", "22:00", "06:00"),
                      schedule("lunch", "12:00", "13:00")};
    made.countries = percent(80) ? countries() : nullptr;
    made.country_groups = {{"near", {"CH", "FR"}}};
    for (std::uint32_t i = 0; i < 2 + below(5); ++i) made.groups.push_back(group(i));
    for (std::uint32_t i = 0; i < below(4); ++i) made.tables.push_back(table(made, i, routes, fit));
    for (std::uint32_t i = 0, n = below(policies + 1); i < n; ++i)
      made.policies.push_back(policy(made, i));
    made.engine.on_no_route = percent(50) ? RouteTarget(ToGroup{any_group(made)}) : action();
    return made;
  }

  Flow flow() {
    static constexpr std::uint8_t kProtocols[] = {protocol::kTcp,
                                                  protocol::kTcp,
                                                  protocol::kUdp,
                                                  protocol::kIcmp,
                                                  protocol::kIcmpV6,
                                                  protocol::kSctp,
                                                  47};
    const Family family = percent(60) ? Family::V4 : Family::V6;
    Flow made;
    made.tuple.source = address(family);
    made.tuple.destination = address(family);
    made.tuple.protocol = pick(kProtocols);
    made.has_ports = made.tuple.protocol == protocol::kTcp ||
                     made.tuple.protocol == protocol::kUdp ||
                     made.tuple.protocol == protocol::kSctp;
    if (made.has_ports) made.tuple.source_port = static_cast<std::uint16_t>(below(12));
    if (made.has_ports) made.tuple.destination_port = static_cast<std::uint16_t>(below(12));
    if (made.tuple.protocol == protocol::kIcmp || made.tuple.protocol == protocol::kIcmpV6)
      made.icmp_type = static_cast<std::uint8_t>(percent(50) ? below(4) : 128 + below(4));
    if (percent(70)) made.mark = below(4) << (8 * below(4));
    if (percent(80)) made.in_interface = interface_key(pick(kInterfaces));
    if (percent(50)) made.out_interface = interface_key(pick(kInterfaces));
    if (percent(50)) made.uid = below(4);
    if (percent(50)) made.gid = below(4);
    made.bytes = 40 + below(1400);
    return made;
  }

  // Of one week.
  Time time() { return Time(std::chrono::seconds(1'800'000'000 + below(7 * 24 * 3600))); }

 private:
  static constexpr const char* kInterfaces[] = {"eth0", "eth1", "eth0.7", "wg0", "e"};

  template <typename T, std::size_t n>
  const T& pick(const T (&list)[n]) {
    return list[below(n)];
  }

  // Each number in a statement of its own: so is their order one on all compilers.
  Address address(Family family) {
    const std::uint32_t high = below(3), middle = below(3), low = below(3), host = below(4);
    if (family == Family::V4)
      return Address::v4((10 + high) << 24 | middle << 16 | low << 8 | host);
    const std::uint64_t network = std::uint64_t{0x2001'0db8 + (high & 1)} << 32;
    return Address::v6(network | middle << 16 | low, std::uint64_t{host >> 1} << 63 | host);
  }
  Prefix prefix(Family family) {
    static constexpr std::uint8_t k4[] = {0, 7, 8, 15, 16, 16, 23, 24, 24, 30, 31, 32};
    static constexpr std::uint8_t k6[] = {0, 31, 32, 47, 48, 48, 63, 64, 64, 65, 127, 128};
    const std::uint8_t length = family == Family::V4 ? pick(k4) : pick(k6);
    return {masked(address(family), length), length};
  }
  Prefix prefix() { return prefix(percent(60) ? Family::V4 : Family::V6); }
  std::vector<Prefix> prefixes(std::uint32_t count) {
    std::vector<Prefix> made;
    while (made.size() < count) made.push_back(prefix());
    return made;
  }

  Action action() {
    static constexpr Action kActions[] = {Action::Accept, Action::Drop, Action::Reject};
    return pick(kActions);
  }
  const std::string& any_group(const Config& config) {
    return config.groups[below(static_cast<std::uint32_t>(config.groups.size()))].name;
  }

  GroupConfig group(std::uint32_t index) {
    GroupConfig made{format("g{}", index), algorithms()[below(2)].name, false, {}};
    const std::uint32_t v4 = below(3), v6 = v4 == 0 ? 1 + below(2) : below(3);
    for (std::uint32_t i = 0; i < v4; ++i)
      made.servers.push_back(
          server(format("four{}", i), format("192.0.2.{}", i), {}, 1 + below(9)));
    for (std::uint32_t i = 0; i < v6; ++i)
      made.servers.push_back(
          server(format("six{}", i), format("2001:db8::{}", i), {}, 1 + below(9)));
    for (ServerConfig& each : made.servers) {
      each.backup = percent(15);
      each.priority = percent(15) ? 5 : 0;
      if (percent(15)) each.state = percent(50) ? ServerState::Drain : ServerState::Maintenance;
    }
    return made;
  }

  // Routes that say the same are left out: they are refused.
  TableConfig table(const Config& config, std::uint32_t index, std::uint32_t routes, bool fit) {
    TableConfig made =
        testing::table(format("t{}", index), static_cast<std::int32_t>(below(3)), {});
    if (percent(40)) made.default_group = any_group(config);
    for (std::uint32_t i = 0, n = below(routes + 1); i < n; ++i) {
      RouteConfig route{.prefix = prefix(), .metric = below(3), .weight = 1 + below(4)};
      const auto& target = any_group(config);
      route.target = percent(70) ? RouteTarget(ToGroup{target}) : action();
      if (fit && std::holds_alternative<ToGroup>(route.target) &&
          !serves(config, target, route.prefix.address.family))
        continue;
      const bool is_there =
          std::any_of(made.routes.begin(), made.routes.end(), [&](const RouteConfig& other) {
            return other.prefix == route.prefix && other.metric == route.metric &&
                   other.target == route.target;
          });
      if (!is_there) made.routes.push_back(std::move(route));
    }
    return made;
  }
  static bool serves(const Config& config, const std::string& group, Family family) {
    for (const GroupConfig& each : config.groups)
      for (const ServerConfig& server : each.servers)
        if (each.name == group && server.address.family == family) return true;
    return false;
  }

  PolicyConfig policy(const Config& config, std::uint32_t index) {
    const auto priority = static_cast<std::int32_t>(below(5)) - 2;
    PolicyConfig made = testing::policy(format("p{}", index), priority, {}, action());
    if (percent(40)) made.target = ToGroup{any_group(config)};
    if (!config.tables.empty() && percent(40))
      made.target =
          ToTable{config.tables[below(static_cast<std::uint32_t>(config.tables.size()))].name};
    made.enabled = percent(90);
    made.dry_run = percent(15);
    for (std::uint32_t i = 0, n = percent(5) ? 0 : 1 + below(3); i < n; ++i)
      made.match.push_back(match(config));
    return made;
  }
  Match match(const Config& config) {
    Match made;
    const std::uint32_t wanted = percent(2) ? 0 : 1 + below(4);
    while (made.size() < wanted) {
      const Field& field = fields()[below(static_cast<std::uint32_t>(fields().size()))];
      const bool is_there = std::any_of(
          made.begin(), made.end(), [&](const Criterion& other) { return other.field == &field; });
      const bool is_country = std::string_view(field.name).ends_with("country");
      if (is_there || (is_country && !config.countries)) continue;
      Criterion& criterion = made.emplace_back(Criterion{&field, {}, {}});
      do {
        const std::string text = (percent(25) ? "!" : "") + value(field.name);
        if (!criterion.add(text)) throw std::invalid_argument(text);
      } while (percent(35));
    }
    return made;
  }

  // A value as a rules file has it.
  std::string value(std::string_view field) {
    static constexpr const char* kSets[] = {"@a", "@b", "@c"};
    static constexpr const char* kProtocols[] = {"tcp", "udp", "icmp", "58", "132", "47"};
    static constexpr const char* kTypes[] = {"echo-request", "echo-reply", "0-2",
                                             "128",          "3",          "redirect"};
    static constexpr const char* kMarks[] = {"0",      "1",           "0x100", "0/0xff",
                                             "1/0xff", "0x300/0x300", "0/0"};
    static constexpr const char* kNames[] = {"eth0", "eth1", "eth*", "wg0",
                                             "e*",   "e",    "*",    "eth0.*"};
    static constexpr const char* kCountries[] = {"DE", "CH",           "FR", "US",
                                                 "EU", "continent:EU", "--", "near"};
    static constexpr const char* kSchedules[] = {"day", "night", "lunch"};
    if (field.ends_with("addr")) return percent(25) ? pick(kSets) : to_string(prefix());
    if (field.ends_with("iif") || field.ends_with("oif")) return pick(kNames);
    if (field.ends_with("country")) return pick(kCountries);
    if (field == "schedule") return pick(kSchedules);
    if (field == "proto") return pick(kProtocols);
    if (field == "icmp_type") return pick(kTypes);
    if (field == "mark") return pick(kMarks);
    const std::uint32_t first = below(field.ends_with("port") ? 12 : 4);
    return percent(50) ? format("{}", first) : format("{}-{}", first, first + below(6));
  }

  Source random_;
};

}  // namespace nfsteer::testing
