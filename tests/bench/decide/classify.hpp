// The first of many rules that a packet matches, beside a scan of all of them.
//
// The scan of rules with five fields reads one flat array, 28 bytes a rule, and
// compares both addresses with one branch. The scan of rules with all fields
// compares what a rule asks for only, the addresses first.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "../../rule/rule_sets.hpp"
#include "../../rule/rule_trace.hpp"
#include "../measure.hpp"
#include "nfsteer/rule.hpp"

namespace nfsteer::bench {

// ---- scans --------------------------------------------------------------------

// Of rules as testing::make_rules() and ClassBench have them.
class FlatScan {
 public:
  explicit FlatScan(const std::vector<Match>& rules) {
    for (const Match& rule : rules) {
      Flat& flat = rules_.emplace_back();
      for (const auto& [field, any, none] : rule) {
        const std::string_view name = field->name;
        if (const auto* prefix = std::get_if<Prefix>(&any[0])) {
          const auto mask = static_cast<std::uint32_t>(~std::uint64_t{0} << (32 - prefix->length));
          auto& [address, bits] = name == "saddr" ? flat.source : flat.destination;
          address = static_cast<std::uint32_t>(prefix->address.low);
          bits = mask;
        } else {
          const auto& [first, last] = std::get<Interval>(any[0]);
          auto& ports = name == "sport" ? flat.source_ports : flat.destination_ports;
          if (name == "proto")
            flat.protocol = static_cast<std::uint8_t>(first), flat.protocol_mask = 0xff;
          else
            ports = {static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)};
        }
      }
    }
  }
  std::uint32_t find(const testing::Header& header) const noexcept {
    const FiveTuple& tuple = header.flow.tuple;
    const auto source = static_cast<std::uint32_t>(tuple.source.low);
    const auto destination = static_cast<std::uint32_t>(tuple.destination.low);
    const Flat* const begin = rules_.data();
    const Flat* const end = begin + rules_.size();
    for (const Flat* rule = begin; rule != end; ++rule) {
      const std::uint32_t apart =
          ((source ^ rule->source.address) & rule->source.mask) |
          ((destination ^ rule->destination.address) & rule->destination.mask);
      if (apart == 0 && tuple.source_port >= rule->source_ports.first &&
          tuple.source_port <= rule->source_ports.last &&
          tuple.destination_port >= rule->destination_ports.first &&
          tuple.destination_port <= rule->destination_ports.last &&
          ((tuple.protocol ^ rule->protocol) & rule->protocol_mask) == 0)
        return static_cast<std::uint32_t>(rule - begin);
    }
    return Classifier::kNone;
  }

 private:
  struct End {
    std::uint32_t address = 0, mask = 0;
  };
  struct Ports {
    std::uint16_t first = 0, last = 0xffff;
  };
  struct Flat {
    End source, destination;
    Ports source_ports, destination_ports;
    std::uint8_t protocol = 0, protocol_mask = 0;
  };
  std::vector<Flat> rules_;
};

// Of rules of all fields. A rule is a run of tests, a test a run of values, all
// in two arrays; numbers are the low half of an address.
class TestScan {
 public:
  explicit TestScan(const std::vector<Match>& rules) {
    for (const Match& rule : rules) {
      for (const Criterion& criterion : rule) {
        const auto field = static_cast<std::uint32_t>(criterion.field - fields().data());
        if (!criterion.any.empty()) add(field, criterion.any, false);
        if (!criterion.none.empty()) add(field, criterion.none, true);
      }
      ends_.push_back(static_cast<std::uint32_t>(tests_.size()));
    }
  }
  std::uint32_t find(const Subject& subject) const noexcept {
    std::array<Seen, 16> seen;
    for (std::size_t i = 0; i < fields().size(); ++i) seen[i] = see(fields()[i], subject);
    const Test* test = tests_.data();
    for (std::uint32_t rule = 0; rule < ends_.size(); ++rule) {
      const Test* const end = tests_.data() + ends_.data()[rule];
      while (test != end && holds(*test, seen[test->field], subject.activity)) ++test;
      if (test == end) return rule;
      test = end;
    }
    return Classifier::kNone;
  }

 private:
  struct Seen {
    bool present = false;
    Family family = Family::V4;
    std::uint64_t high = 0, low = 0;
  };
  // (seen ^ value) & mask is zero, or of ranges: seen - value <= mask.
  struct Wanted {
    std::uint64_t high = 0, low = 0, high_mask = 0, low_mask = 0;
    Family family = Family::V4;
    bool is_range = false;
  };
  struct Test {
    std::uint32_t field = 0;
    bool is_schedule = false, negated = false;
    std::uint32_t begin = 0, end = 0;  // in wanted_
  };

  static Seen see(const Field& field, const Subject& subject) noexcept {
    if (field.address) {
      const Address* address = field.address(subject);
      return address ? Seen{true, address->family, address->high, address->low} : Seen{};
    }
    if (!field.number) return {true, Family::V4, 0, 0};
    const auto number = field.number(subject);
    return number ? Seen{true, Family::V4, 0, *number} : Seen{};
  }
  void add(std::uint32_t field, const std::vector<Value>& values, bool negated) {
    const auto begin = static_cast<std::uint32_t>(wanted_.size());
    for (const Value& value : values) {
      Wanted& wanted = wanted_.emplace_back();
      if (const auto* interval = std::get_if<Interval>(&value)) {
        wanted = {0, interval->first, 0, interval->last - interval->first, Family::V4, true};
      } else if (const auto* masked = std::get_if<Masked>(&value)) {
        wanted = {0, masked->value, 0, masked->mask, Family::V4, false};
      } else {
        const auto& prefix = std::get<Prefix>(value);
        const Address last = prefix.last(), first = prefix.first();
        wanted = {first.high,   first.low, ~(first.high ^ last.high), ~(first.low ^ last.low),
                  first.family, false};
      }
    }
    const bool is_schedule = !fields()[field].address && !fields()[field].number;
    tests_.push_back(
        {field, is_schedule, negated, begin, static_cast<std::uint32_t>(wanted_.size())});
  }
  bool holds(const Test& test, const Seen& seen, const Activity& activity) const noexcept {
    if (!seen.present) return false;
    bool any = false;
    for (std::uint32_t i = test.begin; i < test.end && !any; ++i) {
      const Wanted& wanted = wanted_.data()[i];
      if (test.is_schedule)
        any = (activity.schedules[wanted.low / 64] >> wanted.low % 64 & 1) != 0;
      else if (wanted.is_range)
        any = seen.low - wanted.low <= wanted.low_mask;
      else
        any = (((seen.high ^ wanted.high) & wanted.high_mask) |
               ((seen.low ^ wanted.low) & wanted.low_mask)) == 0 &&
              seen.family == wanted.family;
    }
    return any != test.negated;
  }

  std::vector<Test> tests_;  // rule by rule
  std::vector<Wanted> wanted_;
  std::vector<std::uint32_t> ends_;  // in tests_, by rule
};

// ---- rows -----------------------------------------------------------------------

// Few, so that they stay near and the caches are the rules'.
inline constexpr std::size_t kHeaders = std::size_t{1} << 11;
// Of the trace, so that it counts little that the scan's pass emptied the caches.
inline constexpr std::size_t kRepeats = 16;

template <typename Scan>
void bench_rules(const std::string& name, const std::vector<Match>& rules, const Scan& scan,
                 const char* scan_name) {
  const auto pointers = testing::pointers(rules);
  const Classifier classifier(pointers);
  const std::vector<std::uint64_t> schedules = {0x0f};
  const Activity activity{schedules, classifier.awake(schedules)};
  const auto trace = testing::make_trace(rules, kHeaders);
  const auto scanned = [&](const testing::Header& header) {
    if constexpr (requires { scan.find(header); })
      return scan.find(header);
    else
      return scan.find(header.subject(activity));
  };
  for (const auto& header : trace)
    if (classifier.first_match(header.subject(activity)) != scanned(header)) std::abort();

  const auto times = measure_apart(
      trace.size() * kRepeats,
      [&] {
        std::uint32_t sum = 0;
        for (std::size_t i = 0; i < kRepeats; ++i)
          for (const auto& header : trace) sum += classifier.first_match(header.subject(activity));
        return sum;
      },
      trace.size(),
      [&] {
        std::uint32_t sum = 0;
        for (const auto& header : trace) sum += scanned(header);
        return sum;
      });
  const auto built = measure(rules.size(), [&] { return Classifier(pointers).bytes(); });
  print_row(name.c_str(), times[0], scan_name, times[1]);
  std::printf("%-24s %.1f MB, %.1f ms to build; %zu rules\n", "",
              static_cast<double>(classifier.bytes()) / 1e6,
              built[0].median() * static_cast<double>(rules.size()) / 1e6, rules.size());
}

inline void bench_classbench(const std::string& project) {
  for (const char* set : {"acl1_1k", "fw1_1k", "ipc1_1k", "acl1_10k", "fw1_10k", "ipc1_10k"}) {
    const auto rules = testing::read_classbench(project, set);
    const std::string name = std::string("classify/") + set;
    if (rules.empty())
      std::printf("SKIPPED %s: there is no such file in %s\n", name.c_str(), testing::kClassBench);
    else
      bench_rules(name, rules, FlatScan(rules), "flat scan");
  }
}

inline void bench_made_rules() {
  for (const std::size_t count : {1000u, 10'000u, 100'000u})
    for (const auto& profile : {testing::kAcl, testing::kFirewall, testing::kChain}) {
      const auto rules = testing::make_rules(profile, count);
      bench_rules(std::string("classify/") + profile.name + ":" + std::to_string(count), rules,
                  FlatScan(rules), "flat scan");
    }
  for (const std::size_t count : {100u, 1000u, 10'000u}) {
    const auto rules = testing::make_policies(count);
    bench_rules("classify/policies:" + std::to_string(count), rules, TestScan(rules),
                "scan of tests");
  }
}

}  // namespace nfsteer::bench
