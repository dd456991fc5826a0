// The formats: www.tcpdump.org/linktypes.html, and IEEE 802.1Q for the tags.
#include "link.hpp"

#include <algorithm>
#include <cstdint>

namespace nfsteer {
namespace {

using Bytes = std::span<const std::byte>;

std::uint32_t u8(Bytes bytes, std::size_t at) noexcept {
  return std::to_integer<std::uint32_t>(bytes[at]);
}

std::uint32_t u16(Bytes bytes, std::size_t at) noexcept {
  return u8(bytes, at) << 8 | u8(bytes, at + 1);
}

// Numbers of protocols, as frames have them ("EtherType").
namespace ether {
constexpr std::uint32_t kIpv4 = 0x0800, kIpv6 = 0x86dd, kVlan = 0x8100, kServiceVlan = 0x88a8,
                        kOldServiceVlan = 0x9100;
}

// Where the number of the protocol is, and how long the header.
struct Header {
  std::size_t type_at;
  std::size_t bytes;
};

std::optional<Bytes> behind_tags(Bytes frame, Header header) noexcept {
  constexpr std::size_t kTag = 4;
  if (frame.size() < header.bytes) return std::nullopt;
  std::uint32_t type = u16(frame, header.type_at);
  Bytes rest = frame.subspan(header.bytes);
  while (type == ether::kVlan || type == ether::kServiceVlan || type == ether::kOldServiceVlan) {
    if (rest.size() < kTag) return std::nullopt;
    type = u16(rest, 2);
    rest = rest.subspan(kTag);
  }
  if (type != ether::kIpv4 && type != ether::kIpv6) return std::nullopt;
  return rest;
}

// The address family as the machine that captured numbers it, in its own byte order:
// 2 is IPv4 everywhere, IPv6 is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on
// FreeBSD, 30 on macOS.
std::optional<Bytes> behind_family(Bytes frame) noexcept {
  constexpr std::uint32_t kFamilies[] = {2, 10, 24, 28, 30};
  constexpr std::size_t kFamily = 4;
  if (frame.size() < kFamily) return std::nullopt;
  const std::uint32_t high = u16(frame, 0), low = u16(frame, 2);
  const std::uint32_t family = high == 0 ? low : low == 0 ? high >> 8 | (high & 0xff) << 8 : 0;
  if (std::ranges::find(kFamilies, family) == std::end(kFamilies)) return std::nullopt;
  return frame.subspan(kFamily);
}

}  // namespace

std::optional<Bytes> network_packet(Link link, Bytes frame) noexcept {
  switch (link) {
    case Link::Ethernet:
      return behind_tags(frame, {.type_at = 12, .bytes = 14});
    case Link::Cooked:
      return behind_tags(frame, {.type_at = 14, .bytes = 16});
    case Link::Cooked2:
      return behind_tags(frame, {.type_at = 0, .bytes = 20});
    case Link::Loopback:
      return behind_family(frame);
    case Link::Raw:
      break;
  }
  return frame;
}

}  // namespace nfsteer
