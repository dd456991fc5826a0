// The queue's socket at work: batches of packets in, batches of verdicts out.
//
// Verdicts are packed into one sendmsg: the kernel walks all netlink messages
// of a buffer and answers an error for each that failed, on the same socket,
// between packets (kernel: netlink_rcv_skb, nfqnl_recv_verdict). Always in the
// order of arrival: kernels up to 6.19 search the queue from its head, and the
// segments of one aggregated packet must not be overtaken.
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <sys/socket.h>

#include <cerrno>
#include <ctime>

#include "nfsteer/netlink.hpp"
#include "queue_message.hpp"

namespace nfsteer::netlink {
namespace {

// All attributes that a packet message can have before its payload, with room
// to spare: the kernel's own are 160 bytes.
constexpr std::size_t kMetadataBytes = 256;
constexpr std::size_t kVerdictBytes = 40;

void pause_ms(long milliseconds) noexcept {
  const timespec time{0, milliseconds * 1'000'000};
  ::nanosleep(&time, nullptr);
}

}  // namespace

const char* name(QueueError error) noexcept {
  switch (error) {
    case QueueError::VerdictUnknown:
      return "verdict_unknown";
    case QueueError::VerdictRefused:
      return "verdict_refused";
    case QueueError::ReceiveOverrun:
      return "receive_overrun";
    case QueueError::ReceiveFailed:
      return "receive_failed";
    case QueueError::SendRetried:
      return "send_retried";
    case QueueError::SendFailed:
      return "send_failed";
    case QueueError::BadMessage:
      return "bad_message";
  }
  return "unknown";
}

struct Queue::Buffers {
  explicit Buffers(std::size_t slot)
      : slot_bytes((slot + 63) / 64 * 64),
        slots(slot_bytes * kBatch),
        verdicts(kVerdictBytes * kBatch) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      parts[i] = {&slots[i * slot_bytes], slot_bytes};
      messages[i].msg_hdr = {};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }

  std::size_t slot_bytes;
  std::vector<char> slots;
  std::array<iovec, kBatch> parts{};
  std::array<mmsghdr, kBatch> messages{};

  std::vector<char> verdicts;
  std::size_t verdict_bytes = 0;  // of `verdicts` that wait to be sent
  std::uint32_t last_id = 0;      // of the last among them
};

Queue::Queue(int socket, std::uint16_t number, std::uint32_t copy_bytes,
             std::atomic<std::uint32_t>& answered)
    : socket_(socket),
      number_(number),
      answered_(answered),
      buffers_(std::make_unique<Buffers>(kMetadataBytes + copy_bytes)) {
  const timeval wait{0, std::chrono::microseconds(kWait).count()};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
}

Queue::~Queue() = default;

std::size_t Queue::receive() noexcept {
  const int got = ::recvmmsg(socket_, buffers_->messages.data(), kBatch, MSG_WAITFORONE, nullptr);
  if (got >= 0) return static_cast<std::size_t>(got);
  if (errno == ENOBUFS) {
    count(QueueError::ReceiveOverrun);
  } else if (errno != EAGAIN && errno != EINTR) {
    count(QueueError::ReceiveFailed);
    pause_ms(10);  // an error that stays must not become a busy loop
  }
  return 0;
}

bool Queue::read(std::size_t slot, std::uint32_t& id, QueuedPacket& packet) noexcept {
  const auto message =
      read_queue_message({static_cast<const std::byte*>(buffers_->parts[slot].iov_base),
                          buffers_->messages[slot].msg_len});
  if (const auto* error = std::get_if<QueueError>(&message)) count(*error);
  const auto* waiting = std::get_if<WaitingPacket>(&message);
  if (!waiting) return false;
  id = waiting->id;
  packet = waiting->packet;
  return true;
}

void Queue::append(std::uint32_t id, Answer answer) noexcept {
  char* at = &buffers_->verdicts[buffers_->verdict_bytes];
  nlmsghdr* header = nfq_nlmsg_put(at, NFQNL_MSG_VERDICT, number_);
  header->nlmsg_flags = NLM_F_REQUEST;
  nfq_nlmsg_verdict_put(header, static_cast<int>(id), static_cast<int>(answer.verdict));
  if (answer.mark) nfq_nlmsg_verdict_put_mark(header, *answer.mark);
  buffers_->verdict_bytes += aligned(header->nlmsg_len);
  buffers_->last_id = id;
}

void Queue::send() noexcept {
  if (buffers_->verdict_bytes == 0) return;
  for (;;) {
    // The kernel takes the whole buffer or none of it.
    if (::send(socket_, buffers_->verdicts.data(), buffers_->verdict_bytes, 0) >= 0) {
      answered_.store(buffers_->last_id, std::memory_order_relaxed);
      break;
    }
    if (errno == EINTR) continue;
    if (errno != ENOBUFS && errno != ENOMEM && errno != EAGAIN) {
      count(QueueError::SendFailed);
      break;
    }
    count(QueueError::SendRetried);
    pause_ms(1);
  }
  buffers_->verdict_bytes = 0;
}

std::optional<std::uint32_t> Queue::first_unread() noexcept {
  iovec& slot = buffers_->parts[0];
  for (;;) {
    const ssize_t length = ::recv(socket_, slot.iov_base, slot.iov_len, MSG_PEEK | MSG_DONTWAIT);
    if (length <= 0) return std::nullopt;
    buffers_->messages[0].msg_len = static_cast<unsigned>(length);
    std::uint32_t id = 0;
    QueuedPacket packet;
    if (read(0, id, packet)) return id;
    ::recv(socket_, slot.iov_base, slot.iov_len, MSG_DONTWAIT);  // an answer to its predecessor
  }
}

void Queue::answer_abandoned(Answer answer) noexcept {
  // Ids up to `newest` were in the socket or read when this was asked. If none
  // is in the socket now, all of them were read; else those before the first.
  std::uint32_t newest = answered_.load(std::memory_order_relaxed);
  for (const QueueState& state : queue_states())
    if (state.number == number_) newest = state.last_id;

  if (const auto unread = first_unread()) newest = *unread - 1;
  for (std::uint32_t id = answered_.load(std::memory_order_relaxed) + 1;
       static_cast<std::int32_t>(newest - id) >= 0; ++id) {
    append(id, answer);
    if (buffers_->verdict_bytes + kVerdictBytes > buffers_->verdicts.size()) send();
  }
  send();
}

}  // namespace nfsteer::netlink
