// What could arrive on a queue's socket: each message by itself, in memory that
// ends where it ends; then all of them through a Queue on a socket, which answers
// each packet once, in order.
#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <numeric>
#include <vector>

#include "../fuzz.hpp"
#include "netlink/queue_message.hpp"

using namespace nfsteer;
using namespace nfsteer::netlink;
using fuzz::Bytes;

namespace {

constexpr std::uint16_t kNumber = 3;
constexpr std::uint32_t kCopyBytes = 64;
constexpr std::size_t kSlotBytes = 320;   // what of a message a Queue of these copies takes
constexpr std::size_t kMessagesMax = 64;  // fewer than are received at once
constexpr std::size_t kMessageBytesMax = 1'000;

struct Sent {
  std::uint32_t id = 0, verdict = 0, mark = 0;
  friend bool operator==(const Sent&, const Sent&) = default;
};

Answer answer_to(const QueuedPacket& packet) noexcept {
  const std::uint32_t sum =
      std::accumulate(packet.bytes.begin(), packet.bytes.end(), packet.mark,
                      [](std::uint32_t before, std::byte byte) {
                        return before * 31 + std::to_integer<std::uint32_t>(byte);
                      });
  return {sum % 2 == 0 ? Verdict::Accept : Verdict::Drop, sum};
}

// What a Queue should send and count for the messages.
struct Expected {
  std::vector<Sent> verdicts;
  Queue::Errors errors{};

  void take(Bytes message) {
    const std::vector<std::byte> copy(message.begin(), message.end());
    const QueueMessage read = read_queue_message(copy);
    if (const auto* error = std::get_if<QueueError>(&read))
      ++errors[static_cast<std::size_t>(*error)];
    const auto* waiting = std::get_if<WaitingPacket>(&read);
    if (!waiting) return;
    FUZZ_CHECK(waiting->packet.bytes.size() < copy.size());
    const Answer answer = answer_to(waiting->packet);
    verdicts.push_back({waiting->id, static_cast<std::uint32_t>(answer.verdict), *answer.mark});
  }
};

// The verdicts that were sent; each as nfq_nlmsg_put() and friends make it.
std::vector<Sent> receive(int socket) {
  struct Message {
    nlmsghdr header;
    nfgenmsg generic;
    nlattr verdict_head;
    nfqnl_msg_verdict_hdr verdict;
    nlattr mark_head;
    std::uint32_t mark;
  };
  std::vector<Sent> sent;
  std::vector<Message> batch(Queue::kBatch);
  for (;;) {
    const ssize_t length =
        ::recv(socket, batch.data(), batch.size() * sizeof(Message), MSG_DONTWAIT);
    if (length <= 0) return sent;
    FUZZ_CHECK(length % static_cast<ssize_t>(sizeof(Message)) == 0);
    for (std::size_t i = 0; i < static_cast<std::size_t>(length) / sizeof(Message); ++i) {
      FUZZ_CHECK(batch[i].header.nlmsg_len == sizeof(Message));
      FUZZ_CHECK(ntohs(batch[i].generic.res_id) == kNumber);
      sent.push_back(
          {ntohl(batch[i].verdict.id), ntohl(batch[i].verdict.verdict), ntohl(batch[i].mark)});
    }
  }
}

}  // namespace

FUZZ_TARGET(queue) {
  static const auto ends = [] {
    std::array<int, 2> made;
    FUZZ_CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, made.data()) == 0);
    return made;
  }();
  std::atomic<std::uint32_t> answered{0};
  Queue queue(ends[1], kNumber, kCopyBytes, answered);
  Expected expected;
  std::size_t messages = 0;
  for (fuzz::Input in(input); !in.is_empty() && messages < kMessagesMax;) {
    const Bytes block = in.block();
    const Bytes message = block.first(std::min(block.size(), kMessageBytesMax));
    if (message.empty()) continue;  // is the end of a socket of this kind
    expected.take(message.first(std::min(message.size(), kSlotBytes)));
    FUZZ_CHECK(::send(ends[0], message.data(), message.size(), 0) ==
               static_cast<ssize_t>(message.size()));
    ++messages;
  }
  const auto answer = [](const QueuedPacket& packet) noexcept { return answer_to(packet); };
  FUZZ_CHECK(queue.serve(answer) == expected.verdicts.size());
  FUZZ_CHECK(receive(ends[0]) == expected.verdicts);
  FUZZ_CHECK(queue.errors() == expected.errors);
}
