// The first of many rules that a flow matches, by each method, against a scan.
#include <vector>

#include "../fuzz.hpp"
#include "nfsteer/rule.hpp"
#include "rule/classifier_index.hpp"

using namespace nfsteer;
using fuzz::Input;

namespace {

constexpr std::uint32_t kSchedules = 3;
constexpr ClassifierMethod kMethods[] = {ClassifierMethod::BitVectors, ClassifierMethod::Pairs};

// Of few networks that lie in each other.
Address read_address(Input& in, Family family) {
  const std::uint8_t byte = in.u8();
  const std::uint64_t high = byte & 3, middle = byte >> 2 & 3, low = byte >> 4;
  if (family == Family::V4)
    return Address::v4(static_cast<std::uint32_t>(10u << 24 | high << 22 | middle << 8 | low));
  return Address::v6(0x2001'0db8'0000'0000 | high << 30 | middle, low << 60 | low);
}

Prefix read_prefix(Input& in) {
  const Family family = in.u8() % 3 == 0 ? Family::V6 : Family::V4;
  const Address address = read_address(in, family);
  const auto length = static_cast<std::uint8_t>(in.below(bits(family) + 1));
  return {masked(address, length), length};
}

constexpr const char* kInterfaces[] = {"eth0", "eth1", "eth10", "e", ""};

Value read_value(Input& in, const Field& field) {
  const std::string_view name = field.name;
  if (name == "saddr" || name == "daddr") return read_prefix(in);
  if (field.address) {
    const Address key = interface_key(in.one_of(kInterfaces));
    const auto length = static_cast<std::uint8_t>(in.flag() ? 128 : 8 * in.below(6));
    return Prefix{masked(key, length), length};
  }
  if (name == "schedule") {
    const std::uint32_t schedule = in.below(kSchedules);
    return Interval{schedule, schedule};
  }
  if (name == "mark" && in.flag()) {
    const std::uint32_t mask = in.u8() * 0x0100'0001u;
    return Masked{in.u8() * 0x0100'0001u & mask, mask};
  }
  const std::uint32_t base = name == "icmp_type" ? 256 : 0;
  const std::uint32_t first = in.u8() % 16, kind = in.u8();
  if (kind < 16) return Interval{base + first, 0xffff'ffff};
  if (kind < 32) return Interval{0, base + first};
  return Interval{base + first, base + first + kind % 8};
}

// Few fields of the many: those whose bit two numbers have.
Match read_match(Input& in) {
  constexpr std::size_t kValuesMax = 6;
  std::uint32_t chosen = in.number<std::uint16_t>() & in.number<std::uint16_t>();
  Match match;
  for (const Field& field : fields()) {
    const bool is_chosen = (chosen & 1) != 0;
    chosen >>= 1;
    if (!is_chosen) continue;
    Criterion& criterion = match.emplace_back(Criterion{&field, {}, {}});
    std::uint8_t more = 0;
    do {
      more = in.u8();
      (more % 4 == 0 ? criterion.none : criterion.any).push_back(read_value(in, field));
    } while (more > 170 && criterion.any.size() + criterion.none.size() < kValuesMax);
  }
  return match;
}

Flow read_flow(Input& in) {
  constexpr std::uint8_t kProtocols[] = {protocol::kTcp, protocol::kUdp, protocol::kIcmp, 4, 255};
  const Family family = in.u8() % 3 == 0 ? Family::V6 : Family::V4;
  Flow flow;
  flow.tuple = {read_address(in, family), read_address(in, family), in.u8(), in.u8(),
                in.one_of(kProtocols)};
  flow.has_ports = flow.tuple.protocol == protocol::kTcp || flow.tuple.protocol == protocol::kUdp;
  if (flow.tuple.protocol == protocol::kIcmp) flow.icmp_type = in.u8() % 16;
  flow.mark = in.u8() * 0x0100'0001u;
  flow.in_interface = interface_key(in.one_of(kInterfaces));
  flow.out_interface = interface_key(in.one_of(kInterfaces));
  if (in.flag()) flow.uid = in.u8() % 20;
  if (in.flag()) flow.gid = in.u8() % 20;
  return flow;
}

std::uint32_t scan(const std::vector<Match>& rules, const Subject& subject, std::uint32_t from) {
  for (std::uint32_t i = from; i < rules.size(); ++i)
    if (matches(rules[i], subject)) return i;
  return Classifier::kNone;
}

}  // namespace

FUZZ_TARGET(classifier) {
  constexpr std::size_t kRulesMax = 150;
  constexpr int kFlowsMax = 30;
  Input in(input);
  std::vector<Match> rules;
  const std::size_t wanted = in.below(kRulesMax);
  while (!in.is_empty() && rules.size() < wanted) rules.push_back(read_match(in));
  std::vector<const Match*> pointers;
  for (const Match& rule : rules) pointers.push_back(&rule);
  const ClassifierIndex indexes[] = {ClassifierIndex(pointers, kMethods[0]),
                                     ClassifierIndex(pointers, kMethods[1])};
  for (int i = 0; i == 0 || (i < kFlowsMax && !in.is_empty()); ++i) {
    const Flow flow = read_flow(in);
    const auto source_country = static_cast<CountryId>(in.below(20));
    const std::uint64_t active = in.below(1u << kSchedules);
    for (const ClassifierIndex& index : indexes) {
      Activity activity{{active}, {}};
      activity.rules = index.awake(activity.schedules);
      const Subject subject{flow, activity, source_country, source_country};
      for (std::uint32_t from = 0;;) {
        const std::uint32_t found = index.first_match(subject, from);
        FUZZ_CHECK(found == scan(rules, subject, from));
        if (found == Classifier::kNone) break;
        from = found + 1;
      }
    }
  }
}
