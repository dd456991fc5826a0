// Sets of rules and the headers that meet them, for tests and benchmarks: made
// here, or ClassBench's of the folder with data that lies beside the project.
//
// What is made is like the sets that are published about, not like any of them:
// prefixes grow out of each other, few of them are in many rules; most access
// lists name a destination and its port; firewalls leave one side open more
// often and have ranges; chains of both are between.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nfsteer/rule.hpp"

namespace nfsteer::testing {

using Random = std::mt19937_64;

inline std::uint32_t below(Random& random, std::uint32_t end) {
  return static_cast<std::uint32_t>(random() % end);
}
inline bool percent(Random& random, std::uint32_t share) {
  return below(random, 100) < share;
}

inline std::vector<const Match*> pointers(const std::vector<Match>& rules) {
  std::vector<const Match*> made;
  for (const Match& rule : rules) made.push_back(&rule);
  return made;
}

// ---- prefixes -----------------------------------------------------------------

// An address of the prefix, its other bits by chance.
inline Address address_in(const Prefix& prefix, Random& random) {
  const Address last = prefix.last();
  Address made = prefix.address;
  made.high |= random() & (last.high & ~prefix.address.high);
  made.low |= random() & (last.low & ~prefix.address.low);
  return made;
}

// Networks, their networks and hosts.
class PrefixPool {
 public:
  PrefixPool(Family family, std::size_t count, Random& random) {
    const Prefix everything{family == Family::V4 ? Address::v4(0) : Address::v6(0, 0), 0};
    while (prefixes_.size() < count) {
      const bool is_new = prefixes_.empty() || percent(random, 8);
      const Prefix& around = is_new ? everything : prefixes_[random() % prefixes_.size()];
      if (around.length < bits(family)) prefixes_.push_back(inside(around, random));
    }
    std::shuffle(prefixes_.begin(), prefixes_.end(), random);
  }
  // Those at the front are wanted more often.
  const Prefix& pick(Random& random) const {
    const double at = std::uniform_real_distribution<>(0, 1)(random);
    return prefixes_[static_cast<std::size_t>(at * at * static_cast<double>(prefixes_.size()))];
  }

 private:
  static Prefix inside(const Prefix& around, Random& random) {
    const std::uint32_t all = bits(around.address.family), unit = all / 32;
    std::uint32_t length = around.length + 1 + below(random, 8 * unit);
    if (around.length == 0) length = unit * (8 + below(random, 9));
    if (around.length >= 16 * unit && percent(random, 50)) length = all;
    length = std::min(length, all);
    return {masked(address_in(around, random), length), static_cast<std::uint8_t>(length)};
  }

  std::vector<Prefix> prefixes_;
};

// How much the rule leaves open, in bits; by it rules stand in a real list, more
// or less: what is said of few comes before what is said of many.
inline double open_bits(const Match& rule) {
  double open = 2 * 32 + 2 * 16 + 8 * static_cast<double>(fields().size());
  for (const auto& [field, any, none] : rule) {
    if (any.empty()) continue;
    if (const auto* prefix = std::get_if<Prefix>(&any[0])) {
      open -= 32.0 * prefix->length / bits(prefix->address.family);
    } else if (const auto* interval = std::get_if<Interval>(&any[0])) {
      const bool port =
          field->name == std::string_view("sport") || field->name == std::string_view("dport");
      open -= (port ? 16 : 8) - std::log2(1.0 + interval->last - interval->first) / (port ? 1 : 2);
    } else {
      open -= 8;
    }
  }
  return open;
}

inline void sort_by_detail(std::vector<Match>& rules, Random& random) {
  constexpr double kDisorderBits = 12;
  std::vector<std::pair<double, Match>> placed;
  for (Match& rule : rules) {
    const double noise = std::uniform_real_distribution<>(0, kDisorderBits)(random);
    placed.emplace_back(open_bits(rule) + noise, std::move(rule));
  }
  std::stable_sort(placed.begin(), placed.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::transform(placed.begin(), placed.end(), rules.begin(),
                 [](auto& each) { return std::move(each.second); });
}

// ---- rules of five fields -------------------------------------------------------

// How many percent of the rules leave a field open, or name one port.
struct Profile {
  const char* name;
  std::uint32_t any_source, any_destination;
  std::uint32_t any_source_port, one_source_port;
  std::uint32_t any_destination_port, one_destination_port;
  std::uint32_t any_protocol;
};
inline constexpr Profile kAcl = {"acl", 25, 3, 95, 2, 30, 50, 5};
inline constexpr Profile kFirewall = {"fw", 40, 30, 60, 20, 30, 40, 10};
inline constexpr Profile kChain = {"ipc", 12, 14, 60, 25, 45, 35, 10};

inline Criterion one(const char* field, Value value) {
  return {find_field(field), {std::move(value)}, {}};
}

inline Value random_port(bool single, Random& random) {
  static constexpr std::uint32_t kKnown[] = {
      20,  21,  22,  23,  25,  53,  80,   110,  111,  123,  135,  139,  143,  161, 389,
      443, 445, 514, 636, 993, 995, 1433, 1521, 3306, 3389, 5060, 5432, 8080, 8443};
  if (single)
    return percent(random, 75) ? Interval{kKnown[below(random, std::size(kKnown))], 0}
                               : Interval{below(random, 65'536), 0};
  if (percent(random, 50)) return Interval{1024, 65'535};
  if (percent(random, 20)) return Interval{0, 1023};
  const std::uint32_t first = below(random, 640) * 100;
  return Interval{first, first + (1u << below(random, 10))};
}

inline void add_port(Match& rule, const char* field, std::uint32_t any, std::uint32_t single,
                     Random& random) {
  const std::uint32_t chance = below(random, 100);
  if (chance < any) return;
  Value value = random_port(chance < any + single, random);
  auto& [first, last] = std::get<Interval>(value);
  if (last == 0) last = first;
  rule.push_back(one(field, value));
}

inline std::vector<Match> make_rules(const Profile& profile, std::size_t count,
                                     std::uint64_t seed = 1) {
  Random random(seed);
  const PrefixPool sources(Family::V4, count / 4 + 4, random);
  const PrefixPool destinations(Family::V4, count / 4 + 4, random);
  std::vector<Match> rules(count);
  for (Match& rule : rules) {
    if (!percent(random, profile.any_source)) rule.push_back(one("saddr", sources.pick(random)));
    if (!percent(random, profile.any_destination))
      rule.push_back(one("daddr", destinations.pick(random)));
    add_port(rule, "sport", profile.any_source_port, profile.one_source_port, random);
    add_port(rule, "dport", profile.any_destination_port, profile.one_destination_port, random);
    if (percent(random, profile.any_protocol)) continue;
    const std::uint32_t number = percent(random, 75) ? protocol::kTcp : protocol::kUdp;
    rule.push_back(one("proto", Interval{number, number}));
  }
  sort_by_detail(rules, random);
  return rules;
}

// ---- rules of all fields --------------------------------------------------------

// A value as a rules file may have it. The schedules are 0 to 7, countries 0 to
// 249.
inline Value random_value(std::string_view field, const PrefixPool& v4, const PrefixPool& v6,
                          Random& random) {
  static constexpr const char* kInterfaces[] = {"eth0", "eth1", "lan0", "lan0.17", "wg0", "ppp0"};
  const auto number = [&](std::uint32_t end, std::uint32_t width) -> Value {
    const std::uint32_t first = below(random, end);
    return Interval{first, percent(random, 70) ? first : first + below(random, width)};
  };
  if (field == "saddr" || field == "daddr") return (percent(random, 65) ? v4 : v6).pick(random);
  if (field == "iif" || field == "oif") {
    const std::string_view name = kInterfaces[below(random, std::size(kInterfaces))];
    if (percent(random, 70)) return Prefix{interface_key(name), 128};
    return Prefix{interface_key(name.substr(0, 3)), 24};
  }
  if (field == "mark") {
    const std::uint32_t mask = percent(random, 60)   ? 0xff
                               : percent(random, 50) ? 0xf00
                                                     : 0xffff'ffff;
    return Masked{below(random, 0x1000) & mask, mask};
  }
  if (field == "proto") {
    const std::uint32_t protocol = percent(random, 70) ? protocol::kTcp : protocol::kUdp;
    return Interval{protocol, protocol};
  }
  if (field == "icmp_type") return Interval{256u * protocol::kIcmp + 8, 256u * protocol::kIcmp + 8};
  if (field == "uid" || field == "gid") return number(2000, 500);
  if (field == "schedule") {
    const std::uint32_t schedule = below(random, 8);
    return Interval{schedule, schedule};
  }
  if (field == "scountry" || field == "dcountry") return number(245, 5);
  return number(60'000, 5000);
}

// As the policies of a gateway: any of all fields, some with several values or
// exceptions, of both families.
inline std::vector<Match> make_policies(std::size_t count, std::uint64_t seed = 1) {
  static constexpr struct {
    std::string_view field;
    std::uint32_t share;  // of the rules, in percent
  } kShares[] = {{"saddr", 45},    {"daddr", 55},   {"sport", 8},     {"dport", 50},  {"proto", 50},
                 {"mark", 15},     {"iif", 30},     {"oif", 10},      {"uid", 6},     {"gid", 4},
                 {"scountry", 15}, {"dcountry", 6}, {"icmp_type", 2}, {"schedule", 8}};
  Random random(seed);
  const PrefixPool v4(Family::V4, count / 4 + 4, random), v6(Family::V6, count / 8 + 4, random);
  std::vector<Match> rules(count);
  for (Match& rule : rules)
    for (const Field& field : fields()) {
      const auto row = std::find_if(std::begin(kShares), std::end(kShares),
                                    [&](const auto& each) { return each.field == field.name; });
      if (row == std::end(kShares) || !percent(random, row->share)) continue;
      Criterion& criterion = rule.emplace_back(Criterion{&field, {}, {}});
      auto& values = percent(random, 6) ? criterion.none : criterion.any;
      do {
        values.push_back(random_value(field.name, v4, v6, random));
      } while (percent(random, 20));
    }
  sort_by_detail(rules, random);
  return rules;
}

// ---- ClassBench -----------------------------------------------------------------

inline constexpr const char* kClassBench = "../shared/data/classbench/";

// The rules of the set, such as "acl1_10k"; empty where there is no such file.
// `project`: the project's folder.
inline std::vector<Match> read_classbench(const std::string& project, const std::string& name) {
  const std::string command =
      "gzip -dc '" + project + "/" + kClassBench + name + ".rules.gz' 2>/dev/null";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::vector<Match> rules;
  std::array<char, 256> line{};
  while (pipe && std::fgets(line.data(), line.size(), pipe.get())) {
    std::array<std::array<unsigned, 5>, 2> ends{};
    std::array<unsigned, 4> ports{};
    unsigned protocol = 0, mask = 0;
    auto& [s, d] = ends;
    if (std::sscanf(line.data(), "@%u.%u.%u.%u/%u %u.%u.%u.%u/%u %u : %u %u : %u %x/%x", &s[0],
                    &s[1], &s[2], &s[3], &s[4], &d[0], &d[1], &d[2], &d[3], &d[4], &ports[0],
                    &ports[1], &ports[2], &ports[3], &protocol, &mask) != 16)
      continue;
    Match& rule = rules.emplace_back();
    for (const std::size_t i : {0u, 1u}) {
      const auto& e = ends[i];
      const Address address = Address::v4(e[0] << 24 | e[1] << 16 | e[2] << 8 | e[3]);
      if (e[4] > 0)
        rule.push_back(one(i == 0 ? "saddr" : "daddr",
                           Prefix{masked(address, e[4]), static_cast<std::uint8_t>(e[4])}));
    }
    for (const std::size_t i : {0u, 2u})
      if (ports[i] != 0 || ports[i + 1] != 65'535)
        rule.push_back(one(i == 0 ? "sport" : "dport", Interval{ports[i], ports[i + 1]}));
    if (mask != 0) rule.push_back(one("proto", Interval{protocol, protocol}));
  }
  return rules;
}

}  // namespace nfsteer::testing
