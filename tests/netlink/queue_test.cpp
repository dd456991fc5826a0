// The queue's socket against the other end of a socketpair: exact messages,
// and those that no kernel would send.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "../allocations.hpp"
#include "message.hpp"
#include "nfsteer/netlink.hpp"

using namespace nfsteer;
using namespace nfsteer::netlink;
using testing::allocations;
using testing::attribute;
using testing::error_message;
using testing::finish;
using testing::Message;
using testing::start;

namespace {

Message packet_message(std::uint32_t id, std::uint32_t mark, const std::string& payload) {
  Message message = start(NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET);
  nfqnl_msg_packet_hdr header{};
  header.packet_id = htonl(id);
  attribute(message, NFQA_PACKET_HDR, &header, sizeof header);
  const std::uint32_t interface = htonl(5), network_mark = htonl(mark);
  attribute(message, NFQA_IFINDEX_INDEV, &interface, sizeof interface);
  if (mark != 0) attribute(message, NFQA_MARK, &network_mark, sizeof network_mark);
  attribute(message, NFQA_PAYLOAD, payload.data(), payload.size());
  return finish(message);
}

struct SentVerdict {
  std::uint32_t id, verdict;
  std::optional<std::uint32_t> mark;
  friend bool operator==(const SentVerdict&, const SentVerdict&) = default;
};

class FakeKernel {
 public:
  FakeKernel() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    kernel_.reset(ends[0]);
    engine_.reset(ends[1]);
    queue_.emplace(engine_.get(), std::uint16_t{3}, std::uint32_t{64}, answered_);
  }

  void send(const Message& message) {
    REQUIRE(::send(kernel_.get(), message.data(), message.size(), 0) ==
            static_cast<ssize_t>(message.size()));
  }

  // The verdicts of one send, in order.
  std::vector<SentVerdict> receive() {
    std::vector<SentVerdict> verdicts;
    alignas(nlmsghdr) char buffer[8192];
    const ssize_t length = ::recv(kernel_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    for (ssize_t at = 0; at < length;) {
      const auto* header = reinterpret_cast<const nlmsghdr*>(buffer + at);
      CHECK(header->nlmsg_type == (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT));
      const auto* generic = reinterpret_cast<const nfgenmsg*>(header + 1);
      CHECK(ntohs(generic->res_id) == 3);
      const auto* first = reinterpret_cast<const nlattr*>(generic + 1);
      const auto* verdict = reinterpret_cast<const nfqnl_msg_verdict_hdr*>(first + 1);
      SentVerdict sent{ntohl(verdict->id), ntohl(verdict->verdict), {}};
      if (header->nlmsg_len > sizeof(nlmsghdr) + sizeof(nfgenmsg) + 12) {
        std::uint32_t mark = 0;
        std::memcpy(&mark, reinterpret_cast<const char*>(verdict + 1) + sizeof(nlattr),
                    sizeof mark);
        sent.mark = ntohl(mark);
      }
      verdicts.push_back(sent);
      at += static_cast<ssize_t>((header->nlmsg_len + 3) / 4 * 4);
    }
    return verdicts;
  }

  std::uint64_t errors(QueueError error) const {
    return queue_->errors()[static_cast<std::size_t>(error)];
  }

  Fd kernel_, engine_;
  std::atomic<std::uint32_t> answered_{0};
  std::optional<Queue> queue_;
};

const auto kAccept = [](const QueuedPacket&) noexcept {
  return Answer{Verdict::Accept, 0x00100000};
};

}  // namespace

TEST_CASE("a batch: every packet read, and answered once, in order, in one send") {
  FakeKernel kernel;
  for (std::uint32_t id = 1; id <= 5; ++id) kernel.send(packet_message(id, id * 16, "abc"));
  std::vector<std::uint32_t> marks;
  marks.reserve(5);
  const std::size_t served = kernel.queue_->serve([&](const QueuedPacket& packet) noexcept {
    marks.push_back(packet.mark);
    CHECK(packet.in_interface == 5);
    CHECK(packet.length == 3);
    CHECK(packet.bytes.size() == 3);
    const bool drop = packet.mark == 32;
    if (drop) return Answer{Verdict::Drop, std::nullopt};
    return Answer{Verdict::Accept, packet.mark | 0x00100000};
  });
  CHECK(served == 5);
  CHECK(marks == std::vector<std::uint32_t>{16, 32, 48, 64, 80});
  CHECK(kernel.receive() == std::vector<SentVerdict>{{1, 1, 0x00100010},
                                                     {2, 0, {}},
                                                     {3, 1, 0x00100030},
                                                     {4, 1, 0x00100040},
                                                     {5, 1, 0x00100050}});
  CHECK(kernel.receive().empty());
  CHECK(kernel.answered_ == 5);
}

TEST_CASE("messages that are no packets are counted, and the packets among them answered") {
  FakeKernel kernel;
  kernel.send(error_message(-ENOENT));
  kernel.send(error_message(-EPERM));
  kernel.send(error_message(0));
  kernel.send(finish(start(NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET)));  // no id
  Message other = packet_message(8, 0, "");  // like a packet, but of another type
  reinterpret_cast<nlmsghdr*>(other.data())->nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_CONFIG;
  kernel.send(other);
  kernel.send(Message(3));
  kernel.send(packet_message(9, 0, ""));
  std::size_t bytes = 99;
  const auto see = [&](const QueuedPacket& packet) noexcept {
    bytes = packet.bytes.size();
    return kAccept(packet);
  };
  CHECK(kernel.queue_->serve(see) == 1);
  CHECK(bytes == 0);
  CHECK(kernel.errors(QueueError::VerdictUnknown) == 1);
  CHECK(kernel.errors(QueueError::VerdictRefused) == 1);
  CHECK(kernel.errors(QueueError::BadMessage) == 3);
  CHECK(kernel.receive() == std::vector<SentVerdict>{{9, 1, 0x00100000}});
}

TEST_CASE("a message longer than its slot, or cut anywhere, is answered if its id is there") {
  FakeKernel kernel;
  kernel.send(packet_message(1, 0, std::string(2000, 'x')));
  CHECK(kernel.queue_->serve(kAccept) == 1);
  CHECK(kernel.receive().size() == 1);

  const Message whole = packet_message(2, 7, "abcdefgh");
  for (std::size_t length = 1; length < whole.size(); ++length) {
    kernel.send(Message(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
    const std::size_t served = kernel.queue_->serve(kAccept);
    CHECK(kernel.receive().size() == served);
    CHECK(served == (length >= sizeof(nlmsghdr) + sizeof(nfgenmsg) + 11 ? 1 : 0));
  }
}

TEST_CASE("an attribute that claims more than there is ends the reading") {
  FakeKernel kernel;
  Message message = packet_message(4, 0, "abc");
  for (const unsigned length : {0u, 3u, 4u, 200u, 65535u}) {
    reinterpret_cast<nlattr*>(&message[sizeof(nlmsghdr) + sizeof(nfgenmsg) + 12])->nla_len =
        static_cast<std::uint16_t>(length);
    kernel.send(message);
    CHECK(kernel.queue_->serve(kAccept) == 1);
    CHECK(kernel.receive().size() == 1);
  }
}

TEST_CASE("nothing to receive is no error, and no verdict") {
  FakeKernel kernel;
  CHECK(kernel.queue_->serve(kAccept) == 0);
  CHECK(kernel.receive().empty());
  for (const std::uint64_t count : kernel.queue_->errors()) CHECK(count == 0);
}

TEST_CASE("what an earlier engine left unanswered, before the first unread packet") {
  FakeKernel kernel;
  kernel.answered_ = 0xfffffffe;  // ids wrap
  kernel.send(packet_message(3, 0, "abc"));
  kernel.queue_->answer_abandoned({Verdict::Repeat, std::nullopt});
  CHECK(kernel.receive() ==
        std::vector<SentVerdict>{{0xffffffff, 4, {}}, {0, 4, {}}, {1, 4, {}}, {2, 4, {}}});
  CHECK(kernel.queue_->serve(kAccept) == 1);
  CHECK(kernel.receive() == std::vector<SentVerdict>{{3, 1, 0x00100000}});
  kernel.queue_->answer_abandoned({Verdict::Repeat, std::nullopt});
  CHECK(kernel.receive().empty());
}

TEST_CASE("no allocation from receipt to verdict") {
  FakeKernel kernel;
  for (std::uint32_t id = 1; id <= 50; ++id) kernel.send(packet_message(id, id, "abc"));
  const std::uint64_t before = allocations();
  std::size_t served = 0;
  while (served < 50) served += kernel.queue_->serve(kAccept);
  CHECK(allocations() == before);
}
