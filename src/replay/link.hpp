// What stands before the network header in a captured packet.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace nfsteer {

// How the frames of a capture begin.
enum class Link {
  Ethernet,
  Cooked,    // LINKTYPE_LINUX_SLL: what `tcpdump -i any` wrote
  Cooked2,   // LINKTYPE_LINUX_SLL2: what it writes
  Raw,       // with the network header itself
  Loopback,  // of BSD: four bytes say which
};

// The packet from its network header on, without VLAN tags (802.1Q, 802.1ad, and as
// many as there are); nullopt where the frame has neither IPv4 nor IPv6.
std::optional<std::span<const std::byte>> network_packet(Link link,
                                                         std::span<const std::byte> frame) noexcept;

}  // namespace nfsteer
