// Packets for tests, byte by byte.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "nfsteer/base/address.hpp"

namespace nfsteer::testing {

using Packet = std::vector<std::byte>;

inline void put8(Packet& packet, unsigned value) {
  packet.push_back(static_cast<std::byte>(value));
}
inline void put16(Packet& packet, unsigned value) {
  put8(packet, value >> 8 & 0xff);
  put8(packet, value & 0xff);
}
inline void put_address(Packet& packet, std::string_view text) {
  const Address address = *parse_address(text);
  const std::size_t at = packet.size();
  packet.resize(at + bits(address.family) / 8);
  address.to_network(&packet[at]);
}
inline void append(Packet& packet, const Packet& more) {
  packet.insert(packet.end(), more.begin(), more.end());
}

// The start of a TCP, UDP or SCTP header: the ports and `more` bytes.
inline Packet ports(unsigned source, unsigned destination, std::size_t more = 16) {
  Packet transport;
  put16(transport, source);
  put16(transport, destination);
  transport.resize(transport.size() + more);
  return transport;
}

inline Packet ipv4(unsigned protocol, const Packet& transport, std::size_t option_bytes = 0,
                   unsigned fragment = 0, std::string_view source = "192.0.2.7",
                   std::string_view destination = "10.9.9.9") {
  Packet packet;
  put8(packet, 0x40 | static_cast<unsigned>(5 + option_bytes / 4));
  put8(packet, 0);
  put16(packet, static_cast<unsigned>(20 + option_bytes + transport.size()));
  put16(packet, 1);
  put16(packet, fragment);
  put8(packet, 64);
  put8(packet, protocol);
  put16(packet, 0);
  put_address(packet, source);
  put_address(packet, destination);
  packet.resize(packet.size() + option_bytes, std::byte{1});
  append(packet, transport);
  return packet;
}

inline Packet ipv6(unsigned next, const Packet& payload, std::string_view source = "2001:db8::7",
                   std::string_view destination = "2001:db8:9::9") {
  Packet packet;
  put16(packet, 0x6000);
  put16(packet, 0);
  put16(packet, static_cast<unsigned>(payload.size()));
  put8(packet, next);
  put8(packet, 64);
  put_address(packet, source);
  put_address(packet, destination);
  append(packet, payload);
  return packet;
}

// An extension header of `units` * 8 bytes in front of `rest`.
inline Packet extension(unsigned next, const Packet& rest, unsigned units = 1) {
  Packet header;
  put8(header, next);
  put8(header, units - 1);
  header.resize(units * 8);
  append(header, rest);
  return header;
}

inline Packet fragment_header(unsigned next, unsigned offset_units, const Packet& rest) {
  Packet header;
  put8(header, next);
  put8(header, 0);
  put16(header, offset_units << 3 | 1);
  header.resize(8);
  append(header, rest);
  return header;
}

}  // namespace nfsteer::testing
