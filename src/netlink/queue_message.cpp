#include "queue_message.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>

#include <algorithm>
#include <cerrno>

namespace nfsteer::netlink {
namespace {

constexpr std::size_t kHeadBytes = sizeof(nlmsghdr) + aligned(sizeof(nfgenmsg));
constexpr std::uint16_t kPacket = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET;

using PacketAttributes = Attributes<NFQA_MAX>;

std::optional<std::uint32_t> number(const PacketAttributes& attributes, std::size_t type) noexcept {
  const auto value = attributes.number<std::uint32_t>(type);
  return value ? std::optional(ntohl(*value)) : std::nullopt;
}

QueuedPacket packet_of(const PacketAttributes& attributes) noexcept {
  QueuedPacket packet;
  packet.mark = number(attributes, NFQA_MARK).value_or(0);  // absent where it is 0
  packet.in_interface = number(attributes, NFQA_IFINDEX_INDEV).value_or(0);
  packet.out_interface = number(attributes, NFQA_IFINDEX_OUTDEV).value_or(0);
  packet.uid = number(attributes, NFQA_UID);
  packet.gid = number(attributes, NFQA_GID);
  packet.bytes = attributes.bytes(NFQA_PAYLOAD);
  packet.length =
      number(attributes, NFQA_CAP_LEN).value_or(static_cast<std::uint32_t>(packet.bytes.size()));
  return packet;
}

QueueMessage read_error(const nlmsghdr& header) noexcept {
  const int error = error_in(header);
  if (error == 0) return Acknowledgement{};
  return error == ENOENT ? QueueError::VerdictUnknown : QueueError::VerdictRefused;
}

}  // namespace

QueueMessage read_queue_message(MessageBytes message) noexcept {
  if (message.size() < kHeadBytes) return QueueError::BadMessage;
  const auto& header = *reinterpret_cast<const nlmsghdr*>(message.data());
  const std::size_t end = std::min<std::size_t>(message.size(), header.nlmsg_len);
  if (header.nlmsg_type == NLMSG_ERROR && end == header.nlmsg_len) return read_error(header);
  if (header.nlmsg_type != kPacket || end < kHeadBytes) return QueueError::BadMessage;
  const PacketAttributes attributes(message.first(end).subspan(kHeadBytes));
  nfqnl_msg_packet_hdr packet;
  const MessageBytes packet_header = attributes.bytes(NFQA_PACKET_HDR);
  if (packet_header.size() < sizeof packet) return QueueError::BadMessage;
  std::memcpy(&packet, packet_header.data(), sizeof packet);
  return WaitingPacket{ntohl(packet.packet_id), packet_of(attributes)};
}

}  // namespace nfsteer::netlink
