// From the words of a person to the flow that they mean. What rules files can
// say of a field is read by the field's own notation.
#include <algorithm>

#include "nfsteer/base/text.hpp"
#include "nfsteer/explain.hpp"

namespace nfsteer {
namespace {

bool has_ports(std::uint8_t protocol) noexcept {
  return protocol == protocol::kTcp || protocol == protocol::kUdp || protocol == protocol::kSctp;
}

bool is_icmp(std::uint8_t protocol) noexcept {
  return protocol == protocol::kIcmp || protocol == protocol::kIcmpV6;
}

// ---- the three words ------------------------------------------------------------

std::vector<std::string_view> split(std::string_view text) {
  constexpr const char* kSpace = " \t\n";
  std::vector<std::string_view> words;
  for (std::size_t from = text.find_first_not_of(kSpace); from != text.npos;) {
    const std::size_t end = std::min(text.find_first_of(kSpace, from), text.size());
    words.push_back(text.substr(from, end - from));
    from = text.find_first_not_of(kSpace, end);
  }
  return words;
}

Result<Endpoint> parse_end(std::string_view word, std::uint8_t protocol) {
  const auto address = parse_address(word);
  const auto with_port = parse_endpoint(word);
  if (has_ports(protocol)) {
    if (with_port || !address) return with_port;
    const bool v4 = address->family == Family::V4;
    return fail(format("`{0}` has no port: write `{1}{0}{2}:PORT`", to_string(*address),
                       v4 ? "" : "[", v4 ? "" : "]"));
  }
  if (address) return Endpoint{*address, 0};
  if (with_port)
    return fail(format("{} has no ports: write `{}`", protocol_name(protocol),
                       to_string(with_port->address)));
  return fail(format("`{}` is not an address", printable(word)));
}

const char* family_name(const Address& address) noexcept {
  return address.family == Family::V4 ? "IPv4" : "IPv6";
}

Result<FiveTuple> parse_tuple(std::string_view text) {
  const auto words = split(text);
  if (words.size() != 3)
    return fail(
        "a flow is a protocol, a source and a destination, such as "
        "`tcp 192.0.2.7:40000 203.0.113.10:443`");
  const auto protocol = parse_protocol(words[0]);
  if (!protocol)
    return fail(format("`{}` is not a protocol: write a name such as `tcp`, or its number",
                       printable(words[0])));
  const auto source = parse_end(words[1], *protocol);
  if (!source) return tl::unexpected(source.error());
  const auto destination = parse_end(words[2], *protocol);
  if (!destination) return tl::unexpected(destination.error());

  const Address& from = source->address;
  const Address& to = destination->address;
  if (from.family != to.family)
    return fail(format("`{}` is of {} and `{}` of {}: both ends are of one family", to_string(from),
                       family_name(from), to_string(to), family_name(to)));
  if (*protocol == protocol::kIcmp && to.family == Family::V6)
    return fail("icmp is of IPv4: write `icmpv6`");
  if (*protocol == protocol::kIcmpV6 && to.family == Family::V4)
    return fail("icmpv6 is of IPv6: write `icmp`");
  return FiveTuple{from, to, source->port, destination->port, *protocol};
}

// ---- the options ----------------------------------------------------------------

// What an option's text stands for, in the notation of the field of that name.
Result<std::vector<Value>> parse_option(const char* name, std::string_view text) {
  std::vector<Value> values;
  if (auto parsed = find_field(name)->parse(text, values); !parsed)
    return fail(format("{}: {}", name, parsed.error().message));
  return values;
}

std::optional<std::uint32_t> only_number(const Value& value) noexcept {
  if (const auto* interval = std::get_if<Interval>(&value))
    return interval->first == interval->last ? std::optional(interval->first) : std::nullopt;
  if (const auto* masked = std::get_if<Masked>(&value))
    return masked->mask == Masked{}.mask ? std::optional(masked->value) : std::nullopt;
  return std::nullopt;
}

Result<std::uint32_t> parse_one_number(const char* name, std::string_view text) {
  const auto values = parse_option(name, text);
  if (!values) return tl::unexpected(values.error());
  if (const auto number = only_number(values->front())) return *number;
  return fail(format("{}: `{}` is more than one: a flow has one", name, printable(text)));
}

Result<InterfaceKey> parse_one_interface(const char* name, std::string_view text) {
  const auto values = parse_option(name, text);
  if (!values) return tl::unexpected(values.error());
  const auto& prefix = std::get<Prefix>(values->front());
  if (prefix.length < bits(Family::V6))
    return fail(format("{}: `{}` is more than one: a flow has one", name, printable(text)));
  return prefix.address;
}

// The field's numbers are of both protocols.
Result<std::uint8_t> parse_one_type(const char* name, std::string_view text,
                                    std::uint8_t protocol) {
  if (!is_icmp(protocol))
    return fail(format("{}: a flow of {} has none", name, protocol_name(protocol)));
  const auto values = parse_option(name, text);
  if (!values) return tl::unexpected(values.error());
  for (const Value& value : *values)
    if (const auto number = only_number(value); number && *number / 256 == protocol)
      return static_cast<std::uint8_t>(*number % 256);
  return fail(
      format("{}: `{}` is not one type of {}", name, printable(text), protocol_name(protocol)));
}

// Writes what the text stands for to `target`, where there is a text.
template <typename Target, typename Parse>
Result<void> read(Target& target, const char* name, const std::optional<std::string>& text,
                  Parse parse) {
  if (!text) return {};
  const auto parsed = parse(name, *text);
  if (!parsed) return tl::unexpected(parsed.error());
  target = *parsed;
  return {};
}

}  // namespace

Result<Flow> parse_flow(const FlowQuestion& question) {
  const auto tuple = parse_tuple(question.flow);
  if (!tuple) return tl::unexpected(tuple.error());
  Flow flow;
  flow.tuple = *tuple;
  flow.has_ports = has_ports(tuple->protocol);

  std::optional<std::string> type = question.icmp_type;
  if (!type && is_icmp(tuple->protocol)) type = "echo-request";
  const auto parse_type = [&](const char* name, std::string_view text) {
    return parse_one_type(name, text, tuple->protocol);
  };
  for (auto& done : {read(flow.in_interface, "iif", question.iif, parse_one_interface),
                     read(flow.out_interface, "oif", question.oif, parse_one_interface),
                     read(flow.mark, "mark", question.mark, parse_one_number),
                     read(flow.uid, "uid", question.uid, parse_one_number),
                     read(flow.gid, "gid", question.gid, parse_one_number),
                     read(flow.icmp_type, "icmp_type", type, parse_type)})
    if (!done) return tl::unexpected(done.error());
  return flow;
}

Result<Time> parse_time(const FlowQuestion& question, Time now) {
  if (!question.at) return now;
  auto time = parse_moment(*question.at, now);
  if (!time) return fail(format("at: {}", time.error().message));
  return *time;
}

}  // namespace nfsteer
