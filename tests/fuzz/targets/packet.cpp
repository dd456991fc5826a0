// parse_packet() against a reader that is written with the system's own headers,
// at every length that could have been copied.
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>

#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "../fuzz.hpp"
#include "nfsteer/flow.hpp"

using namespace nfsteer;
using fuzz::Bytes;

namespace {

struct Reading {
  std::optional<ParseError> error;
  Flow flow;
};

// The structure that the bytes begin with.
template <typename Header>
std::optional<Header> header_of(Bytes bytes) {
  if (bytes.size() < sizeof(Header)) return std::nullopt;
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

Address address_of(Family family, const void* bytes) {
  return Address::from_network(family, static_cast<const std::byte*>(bytes));
}

std::optional<ParseError> read_transport(Bytes bytes, Flow& flow) {
  struct Ports {
    std::uint16_t source, destination;
  };
  const bool is_icmp4 = flow.tuple.protocol == IPPROTO_ICMP;
  const bool is_icmp = is_icmp4 || flow.tuple.protocol == IPPROTO_ICMPV6;
  const bool has_ports = flow.tuple.protocol == IPPROTO_TCP || flow.tuple.protocol == IPPROTO_UDP ||
                         flow.tuple.protocol == IPPROTO_SCTP;
  if (!is_icmp && !has_ports) return std::nullopt;
  const auto ports = header_of<Ports>(bytes);
  if (!ports) return ParseError::TruncatedTransport;
  if (has_ports) {
    flow.has_ports = true;
    flow.tuple.source_port = ntohs(ports->source);
    flow.tuple.destination_port = ntohs(ports->destination);
    return std::nullopt;
  }
  const auto type = std::to_integer<std::uint8_t>(bytes[0]);
  flow.icmp_type = type;
  constexpr std::uint8_t kEchoReply = 0, kEcho = 8;  // of ICMP
  const bool is_echo = is_icmp4 ? type == kEcho || type == kEchoReply
                                : type == ICMP6_ECHO_REQUEST || type == ICMP6_ECHO_REPLY;
  if (!is_echo) return std::nullopt;
  const auto id = header_of<std::uint16_t>(bytes.subspan(4));
  if (!id) return ParseError::TruncatedTransport;
  flow.tuple.source_port = ntohs(*id);
  return std::nullopt;
}

std::optional<ParseError> read_v4(Bytes bytes, Flow& flow) {
  const auto ip = header_of<struct ip>(bytes);
  if (!ip) return ParseError::TruncatedIp;
  if (ip->ip_hl < 5) return ParseError::HeaderLength;
  if (bytes.size() < ip->ip_hl * 4u) return ParseError::TruncatedIp;
  flow.tuple.source = address_of(Family::V4, &ip->ip_src);
  flow.tuple.destination = address_of(Family::V4, &ip->ip_dst);
  flow.tuple.protocol = ip->ip_p;
  if ((ntohs(ip->ip_off) & IP_OFFMASK) != 0) return ParseError::Fragment;
  return read_transport(bytes.subspan(ip->ip_hl * 4u), flow);
}

// The length of the extension header, or nothing where it is none.
std::optional<std::size_t> extension_bytes(std::uint8_t type, std::uint8_t length) {
  constexpr std::uint8_t kHostIdentity = 139, kShim6 = 140;
  switch (type) {
    case IPPROTO_FRAGMENT:
      return sizeof(ip6_frag);
    case IPPROTO_AH:
      return (length + 2u) * 4;
    case IPPROTO_HOPOPTS:
    case IPPROTO_ROUTING:
    case IPPROTO_DSTOPTS:
    case IPPROTO_MH:
    case kHostIdentity:
    case kShim6:
      return (length + 1u) * 8;
    default:
      return std::nullopt;
  }
}

std::optional<ParseError> read_v6(Bytes bytes, Flow& flow) {
  const auto ip = header_of<ip6_hdr>(bytes);
  if (!ip) return ParseError::TruncatedIp;
  flow.tuple.source = address_of(Family::V6, &ip->ip6_src);
  flow.tuple.destination = address_of(Family::V6, &ip->ip6_dst);
  std::uint8_t type = ip->ip6_nxt;
  std::size_t at = sizeof *ip;
  for (int headers = 0; extension_bytes(type, 0); ++headers) {
    if (headers == 16) return ParseError::TooManyHeaders;
    const auto fragment = header_of<ip6_frag>(bytes.subspan(at));  // the shortest of all
    if (!fragment) return ParseError::TruncatedOptions;
    if (type == IPPROTO_FRAGMENT && (fragment->ip6f_offlg & IP6F_OFF_MASK) != 0) {
      flow.tuple.protocol = fragment->ip6f_nxt;
      return ParseError::Fragment;
    }
    at += *extension_bytes(type, fragment->ip6f_reserved);
    if (at > bytes.size()) return ParseError::TruncatedOptions;
    type = fragment->ip6f_nxt;
  }
  flow.tuple.protocol = type;
  return read_transport(bytes.subspan(at), flow);
}

Reading read(Bytes bytes) {
  Reading reading;
  reading.flow.bytes = static_cast<std::uint32_t>(bytes.size());
  const unsigned version = bytes.empty() ? 0 : std::to_integer<unsigned>(bytes[0]) / 16;
  if (bytes.empty())
    reading.error = ParseError::Empty;
  else if (version == 4)
    reading.error = read_v4(bytes, reading.flow);
  else if (version == 6)
    reading.error = read_v6(bytes, reading.flow);
  else
    reading.error = ParseError::Version;
  return reading;
}

bool is_truncation(ParseError error) {
  return error == ParseError::Empty || error == ParseError::TruncatedIp ||
         error == ParseError::TruncatedOptions || error == ParseError::TruncatedTransport;
}

Reading check(Bytes packet) {
  Reading got;
  got.error = parse_packet(packet, got.flow);
  const Reading want = read(packet);
  FUZZ_CHECK(got.error == want.error);
  FUZZ_CHECK(got.flow.bytes == want.flow.bytes);
  FUZZ_CHECK(got.flow.tuple == want.flow.tuple);
  FUZZ_CHECK(got.flow.has_ports == want.flow.has_ports);
  FUZZ_CHECK(got.flow.icmp_type == want.flow.icmp_type);
  return got;
}

}  // namespace

FUZZ_TARGET(packet) {
  const Reading whole = check(input);
  FUZZ_CHECK(name(whole.error.value_or(ParseError::Empty)) != std::string("unknown"));
  // What was cut is said to be, or is read as the whole.
  constexpr std::size_t kLengthsMax = 160;
  for (std::size_t length = std::min(input.size(), kLengthsMax); length-- > 0;) {
    const std::vector<std::byte> copied(input.begin(),
                                        input.begin() + static_cast<std::ptrdiff_t>(length));
    const Reading part = check(copied);
    if (part.error == whole.error && !part.error) FUZZ_CHECK(part.flow.tuple == whole.flow.tuple);
    if (part.error != whole.error) FUZZ_CHECK(part.error && is_truncation(*part.error));
  }
}
