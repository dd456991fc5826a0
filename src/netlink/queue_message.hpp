// What the kernel says on a queue's socket, message by message.
#pragma once

#include <cstdint>
#include <variant>

#include "attributes.hpp"
#include "nfsteer/netlink.hpp"

namespace nfsteer::netlink {

// A packet that waits for the answer to its id.
struct WaitingPacket {
  std::uint32_t id = 0;
  QueuedPacket packet;
};
struct Acknowledgement {};
// A QueueError tells of a verdict that was refused, or of a message that is none.
using QueueMessage = std::variant<Acknowledgement, QueueError, WaitingPacket>;

// `message` is what arrived of it: one that was cut is read as far as it goes, as
// the id comes first. The packet's bytes point into it. REQUIRES: aligned as a
// nlmsghdr
QueueMessage read_queue_message(MessageBytes message) noexcept;

}  // namespace nfsteer::netlink
