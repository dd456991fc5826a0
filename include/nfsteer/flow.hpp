// From the bytes of a packet to the flow that it opens.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "nfsteer/base/address.hpp"

namespace nfsteer {

// The number of an IP protocol (IANA "Protocol Numbers").
namespace protocol {
inline constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmpV6 = 58, kSctp = 132;
}

// The two ends and the protocol: what makes two packets one flow. Host order.
// Ports are zero where the protocol has none; for ICMP and ICMPv6 echo,
// source_port is the identifier, as in conntrack.
struct FiveTuple {
  Address source;
  Address destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t protocol = 0;

  friend constexpr bool operator==(const FiveTuple&, const FiveTuple&) = default;
};

// The name of a network interface as 128 bits, in the form of an IPv6 address:
// the bytes of the name, then zeros. So all names with one beginning are a
// Prefix. No name, no interface: all zero. Names have 15 bytes at most
// (IFNAMSIZ of linux/if.h); what is longer is cut.
using InterfaceKey = Address;
InterfaceKey interface_key(std::string_view name) noexcept;
std::string interface_name(const InterfaceKey& key);
inline constexpr InterfaceKey kNoInterface = Address::v6(0, 0);

// All that a decision may depend on: the packet's own fields, and what the
// kernel says beside them. Host order.
struct Flow {
  FiveTuple tuple;
  bool has_ports = false;                 // TCP, UDP or SCTP with its header in reach
  std::optional<std::uint8_t> icmp_type;  // ICMP and ICMPv6
  std::uint32_t mark = 0;                 // the packet's mark, all 32 bits
  InterfaceKey in_interface = kNoInterface;
  InterfaceKey out_interface = kNoInterface;
  std::optional<std::uint32_t> uid;  // local flows only
  std::optional<std::uint32_t> gid;
  std::uint32_t bytes = 0;  // length of the packet from the network header

  Family family() const noexcept { return tuple.destination.family; }
};

// Which fields of a flow something can depend on; an address by how many of its
// first bits.
struct FlowFields {
  std::uint8_t source_bits4 = 0, source_bits6 = 0;
  std::uint8_t destination_bits4 = 0, destination_bits6 = 0;
  bool source_port = false, destination_port = false, protocol = false, icmp_type = false;
  bool mark = false, in_interface = false, out_interface = false, uid = false, gid = false;
  bool source_country = false, destination_country = false;
};

// What is left of a flow when only some of its fields count: flows with equal keys
// are the same to whatever reads those fields. Host order, no padding.
struct FlowKey {
  std::array<std::uint64_t, 12> words{};

  // Countries are found by somebody else; their numbers, or 0.
  FlowKey(const Flow& flow, const FlowFields& fields, std::uint16_t source_country,
          std::uint16_t destination_country) noexcept;
  FlowKey() = default;
  friend bool operator==(const FlowKey&, const FlowKey&) = default;
};
std::uint64_t hash(const FlowKey& key) noexcept;

// Why a packet could not be read. Each is a counter of its own.
enum class ParseError : std::uint8_t {
  Empty,              // not one byte
  Version,            // neither 4 nor 6
  TruncatedIp,        // shorter than its IP header
  HeaderLength,       // an IPv4 header length below 20
  TruncatedOptions,   // an IPv6 extension header reaches past what was copied
  TooManyHeaders,     // more IPv6 extension headers than any honest packet has
  Fragment,           // not the first fragment: it has no ports
  TruncatedTransport  // the ports are past what was copied
};
inline constexpr std::size_t kParseErrors = 8;
// The counter's name, such as "truncated_ip".
const char* name(ParseError error) noexcept;

// Reads the packet that starts at the network header. `packet` is what was
// copied, which may be less than the packet; nothing past it is touched. Fills
// tuple, has_ports, icmp_type and bytes; the rest of `flow` is the caller's.
// IPv4 (RFC 791), IPv6 and its extension headers (RFC 8200, 4302), TCP, UDP,
// SCTP, ICMP, ICMPv6; any other protocol by its number alone. Returns nullopt
// when the flow was read. Does not allocate.
std::optional<ParseError> parse_packet(std::span<const std::byte> packet, Flow& flow) noexcept;

// The flags of a TCP segment: bits of tcp_flag, and others (RFC 9293, 3.1). nullopt
// where the packet is none, or was not copied so far. Does not allocate.
std::optional<std::uint8_t> tcp_flags(std::span<const std::byte> packet) noexcept;
namespace tcp_flag {
inline constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;
}

// A hash of the five-tuple; equal on every machine for equal seeds.
std::uint64_t hash(const FiveTuple& tuple, std::uint64_t seed = 0) noexcept;

// A five-tuple without padding, to be kept by the million. Equal where the tuples are.
struct TupleKey {
  std::array<std::uint64_t, 5> words{};

  TupleKey() = default;
  explicit TupleKey(const FiveTuple& tuple) noexcept
      : words{tuple.source.high, tuple.source.low, tuple.destination.high, tuple.destination.low,
              std::uint64_t{tuple.source_port} << 48 | std::uint64_t{tuple.destination_port} << 32 |
                  std::uint64_t{tuple.protocol} << 8 |
                  static_cast<std::uint64_t>(tuple.source.family) << 1 |
                  static_cast<std::uint64_t>(tuple.destination.family)} {}
  friend bool operator==(const TupleKey&, const TupleKey&) = default;
  friend TupleKey operator&(TupleKey key, const TupleKey& mask) noexcept {
    for (std::size_t i = 0; i < key.words.size(); ++i) key.words[i] &= mask.words[i];
    return key;
  }
};

// Parts of a five-tuple.
struct TupleParts {
  bool source = false, source_port = false, destination = false, destination_port = false,
       protocol = false;

  friend bool operator==(const TupleParts&, const TupleParts&) = default;
};
inline constexpr TupleParts kWholeTuple{true, true, true, true, true};
// The bits of a TupleKey that these parts are.
TupleKey mask_of(const TupleParts& parts) noexcept;
// hash() of the tuple.
std::uint64_t hash(const TupleKey& key, std::uint64_t seed = 0) noexcept;

// "tcp 192.0.2.7:40000 -> [2001:db8::1]:443".
std::string to_string(const FiveTuple& tuple);
// "tcp", or the number where the protocol has no name here.
std::string protocol_name(std::uint8_t protocol);
// The number of "tcp" or "6"; nullopt where it is neither.
std::optional<std::uint8_t> parse_protocol(std::string_view text);

}  // namespace nfsteer
