#include "draft.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <string_view>

namespace nfsteer {
namespace {

bool has_ports(std::uint8_t protocol) noexcept {
  return protocol == protocol::kTcp || protocol == protocol::kUdp || protocol == protocol::kSctp;
}

std::uint8_t icmp_of(Family family) noexcept {
  return family == Family::V4 ? protocol::kIcmp : protocol::kIcmpV6;
}

// ---- how the fields of a flow are set ---------------------------------------------

constexpr std::uint16_t kSourcePort = 40'000, kDestinationPort = 80;

bool put_protocol(std::uint32_t number, Flow& flow) {
  const auto protocol = static_cast<std::uint8_t>(number);
  const bool is_icmp = protocol == icmp_of(flow.family());
  if (!is_icmp && (protocol == protocol::kIcmp || protocol == protocol::kIcmpV6)) return false;
  flow.tuple.protocol = protocol;
  flow.icmp_type.reset();
  if (is_icmp) flow.icmp_type = static_cast<std::uint8_t>(flow.family() == Family::V4 ? 8 : 128);
  if (has_ports(protocol) == flow.has_ports) return true;
  flow.has_ports = has_ports(protocol);
  flow.tuple.source_port = flow.has_ports ? kSourcePort : 0;
  flow.tuple.destination_port = flow.has_ports ? kDestinationPort : 0;
  return true;
}

bool put_source_port(std::uint32_t number, Flow& flow) {
  flow.tuple.source_port = static_cast<std::uint16_t>(number);
  return flow.has_ports;
}

bool put_destination_port(std::uint32_t number, Flow& flow) {
  flow.tuple.destination_port = static_cast<std::uint16_t>(number);
  return flow.has_ports;
}

// The field's number is the protocol times 256 and the type.
bool put_icmp_type(std::uint32_t number, Flow& flow) {
  if (number / 256 != icmp_of(flow.family()) || !put_protocol(number / 256, flow)) return false;
  flow.icmp_type = static_cast<std::uint8_t>(number % 256);
  return true;
}

bool put_mark(std::uint32_t number, Flow& flow) {
  flow.mark = number;
  return true;
}

bool put_uid(std::uint32_t number, Flow& flow) {
  flow.uid = number;
  return true;
}

bool put_gid(std::uint32_t number, Flow& flow) {
  flow.gid = number;
  return true;
}

// What becomes of a value depends on the field. A criterion that has no row is not
// made up; a test sees to it that each has one.
struct Setter {
  std::string_view field;
  std::uint32_t max = 0;  // of its numbers
  bool (*number)(std::uint32_t value, Flow& flow) = nullptr;
  Address FiveTuple::*end = nullptr;  // an address, or of a country
  InterfaceKey Flow::*interface = nullptr;
};
constexpr std::uint32_t kCountryMax = std::numeric_limits<CountryId>::max();
constexpr Setter kSetters[] = {
    {.field = "saddr", .end = &FiveTuple::source},
    {.field = "daddr", .end = &FiveTuple::destination},
    {.field = "sport", .max = 65'535, .number = put_source_port},
    {.field = "dport", .max = 65'535, .number = put_destination_port},
    {.field = "proto", .max = 255, .number = put_protocol},
    {.field = "icmp_type", .max = protocol::kIcmpV6 * 256 + 255, .number = put_icmp_type},
    {.field = "mark", .max = 0xffff'ffff, .number = put_mark},
    {.field = "iif", .interface = &Flow::in_interface},
    {.field = "oif", .interface = &Flow::out_interface},
    {.field = "uid", .max = 0xffff'fffe, .number = put_uid},
    {.field = "gid", .max = 0xffff'fffe, .number = put_gid},
    {.field = "scountry", .max = kCountryMax, .end = &FiveTuple::source},
    {.field = "dcountry", .max = kCountryMax, .end = &FiveTuple::destination},
    {.field = "schedule"},
};

const Setter& setter_of(const Field& field) {
  static constexpr Setter kNone{};
  const auto found = std::ranges::find(kSetters, std::string_view(field.name), &Setter::field);
  return found == std::end(kSetters) ? kNone : *found;
}

// ---- bounds -------------------------------------------------------------------------

void add_numbers(const Field& field, std::initializer_list<std::int64_t> numbers,
                 std::vector<FieldValue>& values) {
  for (const std::int64_t number : numbers)
    if (number >= 0 && number <= setter_of(field).max)
      values.push_back({&field, static_cast<std::uint32_t>(number)});
}

void add_addresses(const Field& field, const Prefix& prefix, std::vector<FieldValue>& values) {
  for (const auto& address : {std::optional(prefix.first()), std::optional(prefix.last()),
                              before(prefix.first()), behind(prefix.last())})
    if (address) values.push_back({&field, *address});
}

// "eth*" has "eth0" inside, and "eth0" itself; neither has "other0".
void add_interfaces(const Field& field, const Prefix& prefix, std::vector<FieldValue>& values) {
  const std::string name = interface_name(prefix.address);
  const bool is_open = prefix.length < bits(Family::V6);
  for (const std::string& each :
       {is_open ? name + "0" : name, is_open ? name : name + "0", std::string("other0")})
    if (!each.empty()) values.push_back({&field, interface_key(each)});
}

// ---- countries ----------------------------------------------------------------------

using CountryAddresses = std::vector<std::optional<Address>>;

void note(const Countries& countries, const Address& address, CountryAddresses& found) {
  auto& known = found[countries.find(address)];
  if (!known) known = address;
}

// What has no /24 of its own may be missed.
CountryAddresses sample_v4(const Countries& countries) {
  CountryAddresses found(countries.records().size());
  for (std::uint32_t net = 1u << 16; net < 224u << 16; ++net)
    note(countries, Address::v4(net << 8 | 1), found);
  return found;
}

// Registries hand out 2001::/16 by /32 and more, the rest of 2000::/3 by /20 and more.
CountryAddresses sample_v6(const Countries& countries) {
  CountryAddresses found(countries.records().size());
  for (std::uint64_t net = 0; net < 1u << 16; ++net)
    note(countries, Address::v6(0x2001ull << 48 | net << 32, 1), found);
  for (std::uint64_t net = 0; net < 1u << 17; ++net)
    note(countries, Address::v6(0x2000ull << 48 | net << 44, 1), found);
  return found;
}

}  // namespace

std::optional<Address> before(const Address& address) noexcept {
  if (address.low == 0 && address.high == 0) return std::nullopt;
  Address found = address;
  if (found.low-- == 0) --found.high;
  return found;
}

std::optional<Address> behind(const Address& address) noexcept {
  const std::uint64_t last = address.family == Family::V4 ? 0xffff'ffff : ~std::uint64_t{0};
  const bool is_last = address.low == last;
  if (is_last && (address.family == Family::V4 || address.high == last)) return std::nullopt;
  Address found = address;
  if (++found.low == 0) ++found.high;
  return found;
}

Draft ordinary(Family family) {
  using namespace std::chrono;
  const bool v4 = family == Family::V4;
  Draft draft;
  draft.at = sys_days(year(2026) / 3 / 2) + hours(12);
  draft.flow.tuple = {
      v4 ? Address::v4(0xc000'0207) : Address::v6(0x2001'0db8'ffff'0000, 7),     // 192.0.2.7
      v4 ? Address::v4(0xcb00'710a) : Address::v6(0x2001'0db8'fffe'0000, 0x10),  // 203.0.113.10
      kSourcePort, kDestinationPort, protocol::kTcp};
  draft.flow.has_ports = true;
  return draft;
}

Values::Values(const Snapshot& snapshot) : snapshot_(snapshot) {
  if (!snapshot.reads.source_country && !snapshot.reads.destination_country) return;
  countries4_ = sample_v4(*snapshot.countries);
  countries6_ = sample_v6(*snapshot.countries);
}

std::vector<FieldValue> Values::at_bounds(const Criterion& criterion) const {
  std::vector<FieldValue> values;
  for (const Value& value : criterion.any) add_bounds(criterion, value, values);
  for (const Value& value : criterion.none) add_bounds(criterion, value, values);
  return values;
}

void Values::add_bounds(const Criterion& criterion, const Value& value,
                        std::vector<FieldValue>& values) const {
  const Field& field = *criterion.field;
  if (const auto* interval = std::get_if<Interval>(&value)) {
    if (!field.number) return add_times(field, *interval, values);
    const std::int64_t first = interval->first, last = interval->last;
    add_numbers(field, {first, last, first - 1, last + 1}, values);
  } else if (const auto* masked = std::get_if<Masked>(&value)) {
    const std::uint32_t lowest = masked->mask & (~masked->mask + 1);
    add_numbers(field, {masked->value, masked->value | ~masked->mask, masked->value ^ lowest},
                values);
  } else if (setter_of(field).interface) {
    add_interfaces(field, std::get<Prefix>(value), values);
  } else {
    add_addresses(field, std::get<Prefix>(value), values);
  }
}

// Around the next two changes of each schedule.
void Values::add_times(const Field& field, const Interval& schedules,
                       std::vector<FieldValue>& values) const {
  const Time noon = ordinary(Family::V4).at;
  for (std::uint32_t i = schedules.first; i <= schedules.last; ++i) {
    values.push_back({&field, noon});
    Time change = noon;
    for (int changes = 0; changes < 2; ++changes) {
      change = snapshot_.schedules[i].next_change(change);
      if (change == Time::max()) break;
      values.push_back({&field, change - std::chrono::seconds(1)});
      values.push_back({&field, change});
    }
  }
}

bool Values::put(const FieldValue& value, Draft& draft) const {
  const Setter& setter = setter_of(*value.field);
  Flow& flow = draft.flow;
  if (const auto* time = std::get_if<Time>(&value.value)) {
    draft.at = *time;
    return true;
  }
  if (const auto* number = std::get_if<std::uint32_t>(&value.value)) {
    if (setter.number) return setter.number(*number, flow);
    const auto& address = country_address(flow.family(), *number);
    if (setter.end && address) flow.tuple.*setter.end = *address;
    return setter.end && address;
  }
  const Address& address = std::get<Address>(value.value);
  if (setter.interface) {
    flow.*setter.interface = address;
    return true;
  }
  if (!setter.end || address.family != flow.family()) return false;
  flow.tuple.*setter.end = address;
  return true;
}

const std::optional<Address>& Values::country_address(Family family, std::uint32_t country) const {
  static const std::optional<Address> kNone;
  const auto& found = family == Family::V4 ? countries4_ : countries6_;
  return country < found.size() ? found[country] : kNone;
}

}  // namespace nfsteer
