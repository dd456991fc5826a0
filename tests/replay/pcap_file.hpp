// Small captures for tests: pcap files of raw IP packets.
#pragma once

#include <cstring>
#include <string>

#include "../flow/packets.hpp"

namespace nfsteer::testing {

inline void put32(std::string& file, std::uint32_t value) {
  char bytes[4];
  std::memcpy(bytes, &value, 4);
  file.append(bytes, 4);
}

// The header of a file whose frames are raw IP.
inline std::string pcap_header() {
  std::string file;
  for (const std::uint32_t word : {0xa1b2'c3d4u, 0x0004'0002u, 0u, 0u, 262'144u, 101u})
    put32(file, word);
  return file;
}

// `us` microseconds after 2023-11-14T22:13:20Z.
inline void add_packet(std::string& file, std::uint64_t us, const Packet& packet) {
  put32(file, static_cast<std::uint32_t>(1'700'000'000 + us / 1'000'000));
  put32(file, static_cast<std::uint32_t>(us % 1'000'000));
  put32(file, static_cast<std::uint32_t>(packet.size()));
  put32(file, static_cast<std::uint32_t>(packet.size()));
  file.append(reinterpret_cast<const char*>(packet.data()), packet.size());
}

// Of the ports 1 to `flows` a datagram each, a millisecond apart.
inline std::string udp_capture(unsigned flows) {
  std::string file = pcap_header();
  for (unsigned i = 1; i <= flows; ++i) add_packet(file, 1'000ull * i, ipv4(17, ports(i, 53)));
  return file;
}

}  // namespace nfsteer::testing
