#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "../allocations.hpp"
#include "nfsteer/rule.hpp"
#include "rule/classifier_index.hpp"
#include "rule_sets.hpp"
#include "rule_trace.hpp"

using namespace nfsteer;
using testing::below;
using testing::Header;
using testing::percent;
using testing::Random;

namespace {

constexpr std::uint32_t kSchedules = 8;
constexpr ClassifierMethod kMethods[] = {ClassifierMethod::BitVectors, ClassifierMethod::Pairs};

// The oracle.
std::uint32_t scan(const std::vector<Match>& rules, const Subject& subject, std::uint32_t from) {
  for (std::uint32_t i = from; i < rules.size(); ++i)
    if (matches(rules[i], subject)) return i;
  return Classifier::kNone;
}

std::vector<const Match*> pointers(const std::vector<Match>& rules) {
  return testing::pointers(rules);
}

Activity random_activity(const ClassifierIndex& index, Random& random) {
  Activity activity{{random() % (1u << kSchedules)}, {}};
  activity.rules = index.awake(activity.schedules);
  return activity;
}

// ---- rules and headers that meet often ------------------------------------------

Prefix random_prefix(Family family, Random& random) {
  const auto length = static_cast<std::uint8_t>(below(random, bits(family) + 1));
  const std::uint64_t few = below(random, 3);
  Address address = family == Family::V4
                        ? Address::v4(10u << 24 | static_cast<std::uint32_t>(few << 22 | few << 7))
                        : Address::v6(0x2001'0db8ull << 32 | few << 20, few << 60 | few);
  if (percent(random, 30)) address.low ^= std::uint64_t{1} << below(random, 32);
  return {masked(address, length), length};
}

Value random_value(const Field& field, Random& random) {
  const std::string_view name = field.name;
  if (name == "saddr" || name == "daddr")
    return random_prefix(percent(random, 60) ? Family::V4 : Family::V6, random);
  if (field.address) {
    static constexpr const char* kNames[] = {"eth0", "eth1", "eth10", "lan", "wlan0"};
    const auto length = static_cast<std::uint8_t>(8 * below(random, 6));
    const Address key = interface_key(kNames[below(random, 5)]);
    return percent(random, 50) ? Prefix{key, 128} : Prefix{masked(key, length), length};
  }
  if (name == "mark" && percent(random, 80)) {
    static constexpr std::uint32_t kMasks[] = {0xf, 0xf0, 0xff, 0xffff'ffff, 0, 3, 0x80000000};
    const std::uint32_t mask = kMasks[below(random, 7)];
    return Masked{below(random, 64) & mask, mask};
  }
  if (name == "schedule") {
    const std::uint32_t schedule = below(random, kSchedules);
    return Interval{schedule, schedule};
  }
  if (name == "icmp_type") {
    const std::uint32_t type = below(random, 12);
    return Interval{256 + type, 256 + type + below(random, 3)};
  }
  const std::uint32_t last = name == "proto" ? 255 : 65'535;
  switch (below(random, 6)) {
    case 0:
      return Interval{0, last};
    case 1:
      return Interval{last - below(random, 3), last};
    case 2:
      return Interval{0, below(random, 20)};
    case 3:
      return Interval{9, 3};  // none
    default: {
      const std::uint32_t first = below(random, 20);
      return Interval{first, first + below(random, 5)};
    }
  }
}

Match random_match(Random& random, std::uint32_t share) {
  Match match;
  for (const Field& field : fields()) {
    if (!percent(random, share)) continue;
    Criterion& criterion = match.emplace_back(Criterion{&field, {}, {}});
    do {
      auto& values = percent(random, 30) ? criterion.none : criterion.any;
      values.push_back(random_value(field, random));
    } while (percent(random, 40));
    if (percent(random, 2))
      while (criterion.any.size() < 80) criterion.any.push_back(random_value(field, random));
  }
  return match;
}

std::vector<Match> random_rules(std::size_t count, Random& random) {
  std::vector<Match> rules;
  const std::uint32_t share = 5 + below(random, 40);
  while (rules.size() < count) rules.push_back(random_match(random, share));
  return rules;
}

Header random_header(Random& random) {
  static constexpr std::uint8_t kProtocols[] = {protocol::kTcp, protocol::kUdp, protocol::kIcmp, 4};
  const Family family = percent(random, 60) ? Family::V4 : Family::V6;
  const auto port = [&] {
    return static_cast<std::uint16_t>(percent(random, 80) ? below(random, 25)
                                                          : 65'535 - below(random, 3));
  };
  const auto key = [&] {
    return percent(random, 30) ? kNoInterface
                               : interface_key(percent(random, 50)   ? "eth1"
                                               : percent(random, 50) ? "lan"
                                                                     : "x");
  };
  Header header;
  Flow& flow = header.flow;
  flow.tuple = {testing::address_in(random_prefix(family, random), random),
                testing::address_in(random_prefix(family, random), random), port(), port(),
                kProtocols[below(random, 4)]};
  flow.has_ports = flow.tuple.protocol == protocol::kTcp || flow.tuple.protocol == protocol::kUdp;
  if (flow.tuple.protocol == protocol::kIcmp)
    flow.icmp_type = static_cast<std::uint8_t>(below(random, 12));
  flow.mark = percent(random, 80) ? below(random, 64) : static_cast<std::uint32_t>(random());
  flow.in_interface = key();
  flow.out_interface = key();
  if (percent(random, 50)) flow.uid = percent(random, 80) ? below(random, 25) : 70'000;
  if (percent(random, 50)) flow.gid = below(random, 25);
  header.source_country = static_cast<CountryId>(below(random, 25));
  header.destination_country = static_cast<CountryId>(below(random, 25));
  return header;
}

// All rules that match, one after the other, against the oracle.
void check_all(const ClassifierIndex& index, const std::vector<Match>& rules,
               const Subject& subject) {
  for (std::uint32_t from = 0;;) {
    const std::uint32_t found = index.first_match(subject, from);
    const std::uint32_t want = scan(rules, subject, from);
    if (found != want) FAIL(rules.size(), " rules from ", from, ": ", found, " not ", want);
    if (found == Classifier::kNone) return;
    from = found + 1;
  }
}

}  // namespace

TEST_CASE("classifier: no rules, and rules that ask for nothing") {
  const Flow flow;
  const Activity activity;
  CHECK(Classifier().first_match({flow, activity}) == Classifier::kNone);
  for (const std::size_t count : {1u, 63u, 64u, 65u, 1000u, 5000u})
    for (const ClassifierMethod method : kMethods) {
      const std::vector<Match> rules(count);
      const ClassifierIndex index(pointers(rules), method);
      for (std::uint32_t from = 0; from < count; ++from)
        REQUIRE(index.first_match({flow, activity}, from) == from);
      const auto end = static_cast<std::uint32_t>(count);
      for (const std::uint32_t from : {end, end + 1, end + 5000, Classifier::kNone})
        CHECK(index.first_match({flow, activity}, from) == Classifier::kNone);
    }
}

TEST_CASE("classifier: finds what a scan of all rules finds") {
  Random random(1);
  for (const std::size_t count : {1u, 2u, 63u, 64u, 65u, 200u, 1000u, 1500u, 3000u})
    for (const ClassifierMethod method : kMethods)
      for (int round = 0; round < (count > 200 ? 4 : 30); ++round) {
        const auto rules = random_rules(count, random);
        const ClassifierIndex index(pointers(rules), method);
        REQUIRE(index.method() == method);
        for (int i = 0; i < 40; ++i) {
          const Activity activity = random_activity(index, random);
          const Header header = random_header(random);
          check_all(index, rules, header.subject(activity));
        }
      }
}

TEST_CASE("classifier: large sets of each kind, 20,000 rules") {
  const auto check = [](const std::string& name, const std::vector<Match>& rules) {
    CAPTURE(name);
    Random random(7);
    const auto trace = testing::make_trace(rules, 400);
    for (const ClassifierMethod method : kMethods) {
      const ClassifierIndex index(pointers(rules), method);
      for (const Header& header : trace) {
        const Activity activity = random_activity(index, random);
        const Subject subject = header.subject(activity);
        const std::uint32_t first = index.first_match(subject, 0);
        REQUIRE(first == scan(rules, subject, 0));
        const std::uint32_t from = below(random, 20'001);
        REQUIRE(index.first_match(subject, from) == scan(rules, subject, from));
      }
    }
  };
  for (const auto& profile : {testing::kAcl, testing::kFirewall, testing::kChain})
    check(profile.name, testing::make_rules(profile, 20'000));
  check("policies", testing::make_policies(20'000));
}

TEST_CASE("classifier: ClassBench") {
  for (const char* name : {"acl1_1k", "fw1_1k", "ipc1_1k", "acl1_10k", "fw1_10k", "ipc1_10k"}) {
    const auto rules = testing::read_classbench(NFSTEER_SOURCE_DIR, name);
    if (rules.empty()) {
      MESSAGE("SKIPPED: there is no ", std::string(testing::kClassBench) + name);
      return;
    }
    CAPTURE(name);
    const Activity activity;
    for (const ClassifierMethod method : kMethods) {
      const ClassifierIndex index(pointers(rules), method);
      for (const Header& header : testing::make_trace(rules, 1000)) {
        const Subject subject = header.subject(activity);
        REQUIRE(index.first_match(subject, 0) == scan(rules, subject, 0));
      }
    }
  }
}

TEST_CASE("classifier: a prefix in a prefix for which the rule does not hold") {
  const auto prefix = [](const char* text) { return Value(*parse_prefix(text)); };
  const std::vector<Match> rules = {
      {{find_field("daddr"),
        {prefix("10.1.0.0/16"), prefix("10.0.0.0/7"), prefix("10.9.9.0/24")},
        {prefix("10.0.0.0/8"), prefix("11.1.0.0/16")}}},
  };
  static constexpr struct {
    const char* destination;
    bool want;
  } kCases[] = {{"10.1.0.1", false},
                {"10.9.9.9", false},
                {"11.0.0.1", true},
                {"11.1.0.1", false},
                {"12.0.0.0", false}};
  const Activity activity;
  for (const ClassifierMethod method : kMethods) {
    const ClassifierIndex index(pointers(rules), method);
    for (const auto& row : kCases) {
      CAPTURE(row.destination);
      Flow flow;
      flow.tuple.destination = *parse_address(row.destination);
      CHECK((index.first_match({flow, activity}, 0) == 0) == row.want);
    }
  }
}

TEST_CASE("classifier: awake is empty without schedules, else a bit for each rule") {
  const std::vector<Match> rules = {
      {},
      {{find_field("schedule"), {Interval{0, 0}}, {}}},
      {{find_field("schedule"), {}, {Interval{0, 0}}}},
      {{find_field("schedule"), {Interval{1, 1}, Interval{70, 70}}, {}}}};
  const std::uint64_t kFirst[] = {1}, kSeventieth[] = {0, 1u << 6};
  CHECK(Classifier().awake(kFirst).empty());
  const Classifier classifier(pointers(rules));
  CHECK((classifier.awake(kFirst).at(0) & 0xf) == 0b0011);
  CHECK((classifier.awake(kSeventieth).at(0) & 0xf) == 0b1101);
  CHECK((classifier.awake({}).at(0) & 0xf) == 0b0101);
}

TEST_CASE("classifier: many rules with addresses are found by pairs") {
  const auto few = testing::make_rules(testing::kAcl, 1000);
  const auto many = testing::make_rules(testing::kAcl, 50'000);
  CHECK(ClassifierIndex(pointers(few)).method() == ClassifierMethod::BitVectors);
  CHECK(ClassifierIndex(pointers(many)).method() == ClassifierMethod::Pairs);
}

TEST_CASE("classifier: finding does not allocate") {
  const auto rules = testing::make_policies(3000);
  const auto trace = testing::make_trace(rules, 500);
  for (const ClassifierMethod method : kMethods) {
    const ClassifierIndex index(pointers(rules), method);
    const std::uint64_t schedules[] = {0xff};
    const Activity activity{{0xff}, index.awake(schedules)};
    const std::uint64_t before = testing::allocations();
    std::uint32_t sum = 0;
    for (const Header& header : trace) sum += index.first_match(header.subject(activity), 0);
    CHECK(testing::allocations() == before);
    CHECK(sum != 0);
  }
}
