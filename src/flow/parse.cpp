// Packet bytes to a Flow. Whatever length a packet claims is compared with
// what was copied before it is used.
#include "nfsteer/flow.hpp"

namespace nfsteer {
namespace {

using Bytes = std::span<const std::byte>;

std::uint8_t u8(Bytes bytes, std::size_t at) noexcept {
  return std::to_integer<std::uint8_t>(bytes[at]);
}

std::uint16_t u16(Bytes bytes, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(u8(bytes, at) << 8 | u8(bytes, at + 1));
}

bool is_echo(std::uint8_t protocol, std::uint8_t type) noexcept {
  return protocol == protocol::kIcmp ? type == 8 || type == 0 : type == 128 || type == 129;
}

// `transport` starts at the header behind IP. Fills ports or ICMP fields.
std::optional<ParseError> parse_transport(Bytes transport, Flow& flow) noexcept {
  switch (flow.tuple.protocol) {
    case protocol::kTcp:
    case protocol::kUdp:
    case protocol::kSctp:
      if (transport.size() < 4) return ParseError::TruncatedTransport;
      flow.tuple.source_port = u16(transport, 0);
      flow.tuple.destination_port = u16(transport, 2);
      flow.has_ports = true;
      return std::nullopt;
    case protocol::kIcmp:
    case protocol::kIcmpV6:
      if (transport.size() < 4) return ParseError::TruncatedTransport;
      flow.icmp_type = u8(transport, 0);
      if (is_echo(flow.tuple.protocol, *flow.icmp_type)) {
        if (transport.size() < 6) return ParseError::TruncatedTransport;
        flow.tuple.source_port = u16(transport, 4);
      }
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

// Each fills addresses and protocol; `transport` is what follows.
std::optional<ParseError> parse_v4(Bytes packet, Flow& flow, Bytes& transport) noexcept {
  constexpr std::size_t kHeaderMin = 20;
  if (packet.size() < kHeaderMin) return ParseError::TruncatedIp;
  const std::size_t header = std::size_t{u8(packet, 0)} % 16 * 4;
  if (header < kHeaderMin) return ParseError::HeaderLength;
  if (packet.size() < header) return ParseError::TruncatedIp;

  flow.tuple.source = Address::from_network(Family::V4, &packet[12]);
  flow.tuple.destination = Address::from_network(Family::V4, &packet[16]);
  flow.tuple.protocol = u8(packet, 9);
  constexpr std::uint16_t kFragmentOffset = 0x1fff;
  if ((u16(packet, 6) & kFragmentOffset) != 0) return ParseError::Fragment;
  transport = packet.subspan(header);
  return std::nullopt;
}

// Extension headers that stand between IPv6 and the transport (RFC 8200
// section 4, RFC 4302, RFC 6275, RFC 7401, RFC 5533).
namespace extension {
constexpr std::uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44, kAuthentication = 51,
                       kDestination = 60, kMobility = 135, kHostIdentity = 139, kShim6 = 140;
}

bool is_extension(std::uint8_t header) noexcept {
  switch (header) {
    case extension::kHopByHop:
    case extension::kRouting:
    case extension::kFragment:
    case extension::kAuthentication:
    case extension::kDestination:
    case extension::kMobility:
    case extension::kHostIdentity:
    case extension::kShim6:
      return true;
    default:
      return false;
  }
}

// The length of the extension header that starts `rest`, in bytes.
std::size_t extension_length(std::uint8_t header, Bytes rest) noexcept {
  if (header == extension::kFragment) return 8;
  if (header == extension::kAuthentication) return (std::size_t{u8(rest, 1)} + 2) * 4;
  return (std::size_t{u8(rest, 1)} + 1) * 8;
}

std::optional<ParseError> parse_v6(Bytes packet, Flow& flow, Bytes& transport) noexcept {
  constexpr std::size_t kHeader = 40;
  constexpr int kExtensionsMax = 16;
  if (packet.size() < kHeader) return ParseError::TruncatedIp;
  flow.tuple.source = Address::from_network(Family::V6, &packet[8]);
  flow.tuple.destination = Address::from_network(Family::V6, &packet[24]);

  std::uint8_t next = u8(packet, 6);
  Bytes rest = packet.subspan(kHeader);
  for (int count = 0; is_extension(next); ++count) {
    if (count == kExtensionsMax) return ParseError::TooManyHeaders;
    if (rest.size() < 8) return ParseError::TruncatedOptions;
    if (next == extension::kFragment && (u16(rest, 2) & 0xfff8) != 0) {
      flow.tuple.protocol = u8(rest, 0);
      return ParseError::Fragment;
    }
    const std::size_t length = extension_length(next, rest);
    if (rest.size() < length) return ParseError::TruncatedOptions;
    next = u8(rest, 0);
    rest = rest.subspan(length);
  }
  flow.tuple.protocol = next;
  transport = rest;
  return std::nullopt;
}

std::optional<ParseError> parse_network(Bytes packet, Flow& flow, Bytes& transport) noexcept {
  if (packet.empty()) return ParseError::Empty;
  switch (u8(packet, 0) >> 4) {
    case 4:
      return parse_v4(packet, flow, transport);
    case 6:
      return parse_v6(packet, flow, transport);
    default:
      return ParseError::Version;
  }
}

}  // namespace

std::optional<ParseError> parse_packet(std::span<const std::byte> packet, Flow& flow) noexcept {
  flow.tuple = {};
  flow.has_ports = false;
  flow.icmp_type.reset();
  flow.bytes = static_cast<std::uint32_t>(packet.size());
  Bytes transport;
  if (const auto error = parse_network(packet, flow, transport)) return error;
  return parse_transport(transport, flow);
}

std::optional<std::uint8_t> tcp_flags(std::span<const std::byte> packet) noexcept {
  constexpr std::size_t kFlags = 13;
  Flow flow;
  Bytes transport;
  if (parse_network(packet, flow, transport) || flow.tuple.protocol != protocol::kTcp ||
      transport.size() <= kFlags)
    return std::nullopt;
  return u8(transport, kFlags);
}

const char* name(ParseError error) noexcept {
  switch (error) {
    case ParseError::Empty:
      return "empty";
    case ParseError::Version:
      return "version";
    case ParseError::TruncatedIp:
      return "truncated_ip";
    case ParseError::HeaderLength:
      return "header_length";
    case ParseError::TruncatedOptions:
      return "truncated_options";
    case ParseError::TooManyHeaders:
      return "too_many_headers";
    case ParseError::Fragment:
      return "fragment";
    case ParseError::TruncatedTransport:
      return "truncated_transport";
  }
  return "unknown";
}

}  // namespace nfsteer
