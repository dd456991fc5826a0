// The types of ICMP (RFC 792) and of ICMPv6 (RFC 4443, 4861) are two lists of
// numbers. The field's number is the protocol times 256 and the type.
#include <algorithm>

#include "field.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

constexpr std::uint32_t number_of(std::uint8_t protocol, std::uint32_t type) noexcept {
  return protocol * 256u + type;
}

struct NamedType {
  std::string_view name;  // as nftables has it
  std::uint8_t protocol;
  std::uint8_t type;
};
constexpr NamedType kTypes[] = {
    {"echo-reply", protocol::kIcmp, 0},
    {"echo-reply", protocol::kIcmpV6, 129},
    {"echo-request", protocol::kIcmp, 8},
    {"echo-request", protocol::kIcmpV6, 128},
    {"destination-unreachable", protocol::kIcmp, 3},
    {"destination-unreachable", protocol::kIcmpV6, 1},
    {"packet-too-big", protocol::kIcmpV6, 2},
    {"time-exceeded", protocol::kIcmp, 11},
    {"time-exceeded", protocol::kIcmpV6, 3},
    {"parameter-problem", protocol::kIcmp, 12},
    {"parameter-problem", protocol::kIcmpV6, 4},
    {"redirect", protocol::kIcmp, 5},
    {"timestamp-request", protocol::kIcmp, 13},
    {"timestamp-reply", protocol::kIcmp, 14},
    {"nd-router-solicit", protocol::kIcmpV6, 133},
    {"nd-router-advert", protocol::kIcmpV6, 134},
    {"nd-neighbor-solicit", protocol::kIcmpV6, 135},
    {"nd-neighbor-advert", protocol::kIcmpV6, 136},
};

void append(std::uint8_t protocol, std::uint32_t first, std::uint32_t last,
            std::vector<Value>& values) {
  values.emplace_back(Interval{number_of(protocol, first), number_of(protocol, last)});
}

Result<void> parse(std::string_view text, std::vector<Value>& values) {
  const std::size_t before = values.size();
  for (const NamedType& known : kTypes)
    if (known.name == text) append(known.protocol, known.type, known.type, values);
  if (values.size() > before) return {};
  const auto types = parse_interval(text, 255);
  if (!types)
    return fail(
        format("`{}` is not a type of ICMP or ICMPv6: 0 to 255, or its name", printable(text)));
  append(protocol::kIcmp, types->first, types->last, values);
  append(protocol::kIcmpV6, types->first, types->last, values);
  return {};
}

}  // namespace

const Field k_icmp_type{
    .name = "icmp_type",
    .expects = "a type of ICMP or ICMPv6 such as \"echo-request\" or 8",
    .parse = parse,
    .number = [](const Subject& subject) noexcept -> FieldNumber {
      if (!subject.flow.icmp_type) return std::nullopt;
      return number_of(subject.flow.tuple.protocol, *subject.flow.icmp_type);
    },
};

}  // namespace nfsteer
