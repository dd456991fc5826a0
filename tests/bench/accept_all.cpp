// The least that a program behind NFQUEUE can do, to compare with: accepts every
// packet without a look at it.
//   bench_accept_all FIRST_QUEUE QUEUES
// A thread a queue; recvmmsg batches, verdicts packed, one send a batch. Prints
// "ready" when the queues are bound, and runs until it is killed.
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t kBatch = 128;
constexpr std::size_t kSlotBytes = 512;
constexpr std::uint32_t kCopyBytes = 128;
constexpr std::uint32_t kQueueLength = 65536;
constexpr int kReceiveBytes = 64 << 20;
// The packet's id: behind the two headers and that of the first attribute.
constexpr std::size_t kIdOffset = sizeof(nlmsghdr) + sizeof(nfgenmsg) + sizeof(nlattr);
constexpr std::size_t kVerdictBytes =
    sizeof(nlmsghdr) + sizeof(nfgenmsg) + sizeof(nlattr) + sizeof(nfqnl_msg_verdict_hdr);

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

nlmsghdr* start_message(void* at, int type, std::uint16_t queue) {
  nlmsghdr* message = mnl_nlmsg_put_header(at);
  message->nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_QUEUE << 8 | type);
  message->nlmsg_flags = NLM_F_REQUEST;
  auto* header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  header->nfgen_family = AF_UNSPEC;
  header->version = NFNETLINK_V0;
  header->res_id = htons(queue);
  return message;
}

mnl_socket* bind_queue(std::uint16_t queue) {
  mnl_socket* socket = mnl_socket_open(NETLINK_NETFILTER);
  if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) die("netlink socket");
  const int fd = mnl_socket_get_fd(socket), on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBytes, sizeof kReceiveBytes) < 0)
    die("SO_RCVBUFFORCE");
  mnl_socket_setsockopt(socket, NETLINK_NO_ENOBUFS, const_cast<int*>(&on), sizeof on);

  std::array<char, 256> buffer{};
  nlmsghdr* message = start_message(buffer.data(), NFQNL_MSG_CONFIG, queue);
  message->nlmsg_flags |= NLM_F_ACK;
  const nfqnl_msg_config_cmd command{.command = NFQNL_CFG_CMD_BIND, ._pad = 0, .pf = 0};
  const nfqnl_msg_config_params params{.copy_range = htonl(kCopyBytes),
                                       .copy_mode = NFQNL_COPY_PACKET};
  mnl_attr_put(message, NFQA_CFG_CMD, sizeof command, &command);
  mnl_attr_put(message, NFQA_CFG_PARAMS, sizeof params, &params);
  mnl_attr_put_u32(message, NFQA_CFG_QUEUE_MAXLEN, htonl(kQueueLength));
  mnl_attr_put_u32(message, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO));
  mnl_attr_put_u32(message, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO));
  if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0) die("send");
  const auto length = mnl_socket_recvfrom(socket, buffer.data(), buffer.size());
  if (length < 0 || mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), 0,
                               mnl_socket_get_portid(socket), nullptr, nullptr) < 0)
    die("bind");
  return socket;
}

struct Batch {
  std::array<std::array<char, kSlotBytes>, kBatch> packets;
  std::array<iovec, kBatch> parts{};
  std::array<mmsghdr, kBatch> messages{};
  std::array<char, kBatch * kVerdictBytes> verdicts{};

  Batch() {
    for (std::size_t i = 0; i < kBatch; ++i) {
      parts[i] = {.iov_base = packets[i].data(), .iov_len = kSlotBytes};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }
};

// Returns the bytes written.
std::size_t put_accept(char* at, std::uint16_t queue, std::uint32_t network_id) {
  nlmsghdr* message = start_message(at, NFQNL_MSG_VERDICT, queue);
  const nfqnl_msg_verdict_hdr verdict{.verdict = htonl(NF_ACCEPT), .id = network_id};
  mnl_attr_put(message, NFQA_VERDICT_HDR, sizeof verdict, &verdict);
  return message->nlmsg_len;
}

void serve(mnl_socket* socket, std::uint16_t queue) {
  const int fd = mnl_socket_get_fd(socket);
  const auto batch = std::make_unique<Batch>();
  for (;;) {
    const int received = ::recvmmsg(fd, batch->messages.data(), kBatch, MSG_WAITFORONE, nullptr);
    std::size_t length = 0;
    for (std::size_t i = 0; received > 0 && i < static_cast<std::size_t>(received); ++i) {
      nlmsghdr header;
      std::memcpy(&header, batch->packets[i].data(), sizeof header);
      if (header.nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET)) continue;
      std::uint32_t network_id = 0;
      std::memcpy(&network_id, &batch->packets[i][kIdOffset], sizeof network_id);
      length += put_accept(&batch->verdicts[length], queue, network_id);
    }
    if (length > 0) mnl_socket_sendto(socket, batch->verdicts.data(), length);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_accept_all FIRST_QUEUE QUEUES\n");
    return 2;
  }
  const int first = std::atoi(argv[1]), count = std::atoi(argv[2]);
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) {
    const auto queue = static_cast<std::uint16_t>(first + i);
    threads.emplace_back(serve, bind_queue(queue), queue);
  }
  std::puts("ready");
  std::fflush(stdout);
}
