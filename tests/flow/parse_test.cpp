#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <random>

#include "nfsteer/flow.hpp"
#include "packets.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

Packet icmp_echo(unsigned type) {
  Packet packet;
  put8(packet, type);
  put8(packet, 0);
  put16(packet, 0);
  put16(packet, 0x1234);
  put16(packet, 1);
  return packet;
}

}  // namespace

TEST_CASE("packets that are read: the flow they open") {
  const struct {
    const char* what;
    Packet packet;
    const char* want;
    bool has_ports;
    std::optional<std::uint8_t> icmp_type;
  } kCases[] = {
      {"tcp", ipv4(6, ports(40000, 80)), "tcp 192.0.2.7:40000 -> 10.9.9.9:80", true, {}},
      {"udp", ipv4(17, ports(53, 53)), "udp 192.0.2.7:53 -> 10.9.9.9:53", true, {}},
      {"sctp", ipv4(132, ports(1, 2)), "sctp 192.0.2.7:1 -> 10.9.9.9:2", true, {}},
      {"all options", ipv4(6, ports(1, 2), 40), "tcp 192.0.2.7:1 -> 10.9.9.9:2", true, {}},
      {"first fragment",
       ipv4(17, ports(1, 2), 0, 0x2000),
       "udp 192.0.2.7:1 -> 10.9.9.9:2",
       true,
       {}},
      {"ports only", ipv4(6, ports(1, 2, 0)), "tcp 192.0.2.7:1 -> 10.9.9.9:2", true, {}},
      {"ping", ipv4(1, icmp_echo(8)), "icmp 192.0.2.7:4660 -> 10.9.9.9:0", false, 8},
      {"unreachable", ipv4(1, icmp_echo(3)), "icmp 192.0.2.7 -> 10.9.9.9", false, 3},
      {"gre", ipv4(47, {}), "gre 192.0.2.7 -> 10.9.9.9", false, {}},
      {"no transport at all", ipv4(99, {}), "99 192.0.2.7 -> 10.9.9.9", false, {}},
      {"tcp6",
       ipv6(6, ports(40000, 80)),
       "tcp [2001:db8::7]:40000 -> [2001:db8:9::9]:80",
       true,
       {}},
      {"ping6", ipv6(58, icmp_echo(128)), "icmpv6 [2001:db8::7]:4660 -> [2001:db8:9::9]:0", false,
       128},
      {"hop-by-hop, options, routing",
       ipv6(0, extension(60, extension(43, extension(17, ports(5, 6)), 3), 2)),
       "udp [2001:db8::7]:5 -> [2001:db8:9::9]:6",
       true,
       {}},
      {"first fragment of 6",
       ipv6(44, fragment_header(17, 0, ports(5, 6))),
       "udp [2001:db8::7]:5 -> [2001:db8:9::9]:6",
       true,
       {}},
      {"authentication header: its length counts in fours",
       ipv6(51,
            [] {
              Packet header = extension(6, {});
              header[1] = std::byte{4};
              header.resize(24);
              append(header, ports(5, 6));
              return header;
            }()),
       "tcp [2001:db8::7]:5 -> [2001:db8:9::9]:6",
       true,
       {}},
      {"no next header", ipv6(59, {}), "59 2001:db8::7 -> 2001:db8:9::9", false, {}},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.what);
    Flow flow;
    const auto error = parse_packet(row.packet, flow);
    REQUIRE_FALSE(error);
    CHECK(to_string(flow.tuple) == row.want);
    CHECK(flow.has_ports == row.has_ports);
    CHECK(flow.icmp_type == row.icmp_type);
    CHECK(flow.bytes == row.packet.size());
  }
}

TEST_CASE("packets that cannot be read: the reason") {
  Packet many = ports(5, 6);
  for (int i = 0; i < 17; ++i) many = extension(i == 0 ? 17 : 60, many);
  Packet short_header = ipv4(6, ports(1, 2));
  short_header[0] = std::byte{0x44};
  const auto cut = [](Packet packet, std::size_t length) {
    packet.resize(length);
    return packet;
  };
  const struct {
    const char* what;
    Packet packet;
    ParseError want;
  } kCases[] = {
      {"nothing", {}, ParseError::Empty},
      {"version 0", Packet(40), ParseError::Version},
      {"version 15", Packet(40, std::byte{0xf5}), ParseError::Version},
      {"one byte", cut(ipv4(6, ports(1, 2)), 1), ParseError::TruncatedIp},
      {"19 bytes", cut(ipv4(6, ports(1, 2)), 19), ParseError::TruncatedIp},
      {"options cut", cut(ipv4(6, ports(1, 2), 40), 59), ParseError::TruncatedIp},
      {"header length 16", short_header, ParseError::HeaderLength},
      {"second fragment", ipv4(17, ports(1, 2), 0, 0x2001), ParseError::Fragment},
      {"last fragment", ipv4(17, ports(1, 2), 0, 185), ParseError::Fragment},
      {"ports cut", cut(ipv4(6, ports(1, 2)), 23), ParseError::TruncatedTransport},
      {"no ports", ipv4(17, {}), ParseError::TruncatedTransport},
      {"icmp cut", cut(ipv4(1, icmp_echo(8)), 23), ParseError::TruncatedTransport},
      {"echo identifier cut", cut(ipv4(1, icmp_echo(8)), 25), ParseError::TruncatedTransport},
      {"39 bytes of 6", cut(ipv6(6, ports(1, 2)), 39), ParseError::TruncatedIp},
      {"extension past the end", ipv6(0, cut(extension(6, {}, 4), 16)),
       ParseError::TruncatedOptions},
      {"extension cut at 7", ipv6(0, cut(extension(6, {}), 7)), ParseError::TruncatedOptions},
      {"too many", ipv6(60, many), ParseError::TooManyHeaders},
      {"second fragment of 6", ipv6(44, fragment_header(17, 1, ports(1, 2))), ParseError::Fragment},
      {"ports of 6 cut", ipv6(6, ports(1, 2, 0)), ParseError::TruncatedTransport},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.what);
    Packet packet = row.packet;
    if (std::string_view(row.what) == "ports of 6 cut") packet.resize(43);
    Flow flow;
    const auto error = parse_packet(packet, flow);
    REQUIRE(error);
    CHECK(std::string(name(*error)) == name(row.want));
  }
}

TEST_CASE("the flags of TCP") {
  Packet syn = ports(1, 2);
  syn[13] = std::byte{0xc2};
  const auto cut = [](Packet packet, std::size_t length) {
    packet.resize(length);
    return packet;
  };
  const struct {
    const char* what;
    Packet packet;
    std::optional<std::uint8_t> want;
  } kCases[] = {
      {"of 4", ipv4(6, syn), 0xc2},
      {"behind options", ipv4(6, syn, 40), 0xc2},
      {"of 6, behind headers", ipv6(0, extension(60, extension(6, syn), 2)), 0xc2},
      {"the last byte that was copied", cut(ipv4(6, syn), 34), 0xc2},
      {"not copied", cut(ipv4(6, syn), 33), std::nullopt},
      {"udp", ipv4(17, syn), std::nullopt},
      {"a later fragment", ipv4(6, syn, 0, 1), std::nullopt},
      {"nothing", {}, std::nullopt},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.what);
    CHECK(tcp_flags(row.packet) == row.want);
  }
}

TEST_CASE("every cut and every damaged byte of a packet is survived") {
  const Packet whole[] = {
      ipv4(6, ports(1, 2), 8), ipv4(1, icmp_echo(8)),
      ipv6(0, extension(60, extension(44, fragment_header(17, 0, ports(5, 6)))))};
  std::mt19937 random(3);
  for (const Packet& packet : whole) {
    for (std::size_t length = 0; length <= packet.size(); ++length) {
      for (int i = 0; i < 200; ++i) {
        // Exactly sized on the heap, so that a sanitizer sees one byte too far.
        const auto copy = std::make_unique<std::byte[]>(length);
        if (length > 0) std::memcpy(copy.get(), packet.data(), length);
        if (i > 0 && length > 0) copy[random() % length] = static_cast<std::byte>(random());
        Flow flow;
        parse_packet({copy.get(), length}, flow);
        tcp_flags({copy.get(), length});
        CHECK(flow.bytes == length);
      }
    }
  }
}

TEST_CASE("a flow read twice forgets the first packet") {
  Flow flow;
  REQUIRE_FALSE(parse_packet(ipv4(1, icmp_echo(8)), flow));
  REQUIRE_FALSE(parse_packet(ipv4(6, ports(1, 2)), flow));
  CHECK_FALSE(flow.icmp_type);
  CHECK(flow.has_ports);
}
