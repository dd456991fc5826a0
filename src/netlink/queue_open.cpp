// Binding a queue, and what /proc tells of queues and their owners.
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "attributes.hpp"
#include "nfsteer/base/log.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/netlink.hpp"
#include "privilege.hpp"

namespace nfsteer::netlink {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kConfigBytesMax = 256;  // a config message with all its attributes

Result<Fd> open_socket(const EngineConfig& config) {
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (!socket || ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return fail(format("no netlink socket to netfilter: {}", std::strerror(errno)));

  // The buffer must hold every packet that the queue may hold, or packets are
  // lost before the queue is full. Beside the copied bytes the kernel counts a
  // kibibyte for each message.
  const std::uint64_t wanted = std::uint64_t{config.queue_length} * (1024 + config.copy_bytes);
  const int bytes = static_cast<int>(std::min<std::uint64_t>(wanted, 1u << 30));
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  // Without this one overrun would stop the socket until it is drained.
  const int on = 1;
  ::setsockopt(socket.get(), SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on);
  return socket;
}

// Sends one config message and waits for the kernel's answer: 0 or an errno.
int configure(int socket, nlmsghdr* message) {
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  if (::send(socket, message, message->nlmsg_len, 0) < 0) return errno;
  alignas(nlmsghdr) char answer[4096];
  for (;;) {
    const ssize_t length = ::recv(socket, answer, sizeof answer, 0);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return errno;
    std::optional<int> code;
    each_message(std::as_bytes(std::span(answer)).first(static_cast<std::size_t>(length)),
                 [&code](const nlmsghdr& each) {
                   if (each.nlmsg_type == NLMSG_ERROR) code = error_in(each);
                   return !code;
                 });
    if (code) return *code;
  }
}

// Whether the kernel knows the flag. It looks at flags before anything else:
// one that it does not know is EOPNOTSUPP, whatever state the queue is in.
bool knows_flag(int socket, std::uint16_t number, std::uint32_t flag) {
  alignas(nlmsghdr) char buffer[kConfigBytesMax];
  nlmsghdr* message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, number);
  mnl_attr_put_u32(message, NFQA_CFG_FLAGS, htonl(flag));
  mnl_attr_put_u32(message, NFQA_CFG_MASK, htonl(flag));
  return configure(socket, message) != EOPNOTSUPP;
}

int bind_queue(int socket, std::uint16_t number, const EngineConfig& config, std::uint32_t flags) {
  alignas(nlmsghdr) char buffer[kConfigBytesMax];
  nlmsghdr* message = nfq_nlmsg_put(buffer, NFQNL_MSG_CONFIG, number);
  nfq_nlmsg_cfg_put_cmd(message, AF_UNSPEC, NFQNL_CFG_CMD_BIND);
  nfq_nlmsg_cfg_put_params(message, NFQNL_COPY_PACKET, static_cast<int>(config.copy_bytes));
  nfq_nlmsg_cfg_put_qmaxlen(message, config.queue_length);
  mnl_attr_put_u32(message, NFQA_CFG_FLAGS, htonl(flags));
  mnl_attr_put_u32(message, NFQA_CFG_MASK, htonl(flags));
  return configure(socket, message);
}

// The inode of the netfilter netlink socket with that port id; 0 where unknown.
std::uint64_t inode_of_port(std::uint32_t port) {
  std::ifstream table("/proc/thread-self/net/netlink");
  std::string line;
  std::getline(table, line);  // the head of the table
  while (std::getline(table, line)) {
    std::istringstream columns(line);
    std::string socket, skip;
    std::uint64_t protocol = 0, pid = 0, inode = 0;
    columns >> socket >> protocol >> pid >> skip >> skip >> skip >> skip >> skip >> skip >> inode;
    if (columns && protocol == NETLINK_NETFILTER && pid == port) return inode;
  }
  return 0;
}

// "name, pid 4711" of a process that has the socket open; empty where not found.
std::string process_with_socket(std::uint64_t inode) {
  const std::string wanted = format("socket:[{}]", inode);
  std::error_code error;
  for (const auto& process : fs::directory_iterator("/proc", error)) {
    const std::string pid = process.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    fs::directory_iterator descriptor(process.path() / "fd", error);
    // Processes end while they are looked at: errors, not exceptions.
    for (; !error && descriptor != fs::directory_iterator(); descriptor.increment(error)) {
      std::error_code unreadable;
      if (fs::read_symlink(descriptor->path(), unreadable) != wanted) continue;
      std::ifstream comm(process.path() / "comm");
      std::string name;
      std::getline(comm, name);
      return format("{}, pid {}", name, pid);
    }
  }
  return {};
}

std::string explain_refusal(std::uint16_t number, int error) {
  if (!may_administer_network()) return kPrivilegeNeeded;
  for (const QueueState& state : queue_states()) {
    if (state.number != number) continue;
    const std::string process = process_with_socket(inode_of_port(state.owner));
    return format(
        "queue {} is owned by another process ({}): stop it, or choose other numbers "
        "with `queues` in [engine]",
        number, process.empty() ? format("netlink port id {}", state.owner) : process);
  }
  if (error == EINVAL || error == EPROTONOSUPPORT)
    return format(
        "queue {} cannot be bound: the kernel lacks nfnetlink_queue "
        "(CONFIG_NETFILTER_NETLINK_QUEUE); try `modprobe nfnetlink_queue`",
        number);
  return format("queue {} cannot be bound: {}", number, std::strerror(error));
}

}  // namespace

Result<Fd> open_queue(std::uint16_t number, const EngineConfig& config) {
  auto socket = open_socket(config);
  if (!socket) return socket;

  std::uint32_t flags = 0;
  for (const std::uint32_t flag :
       {std::uint32_t{NFQA_CFG_F_GSO}, std::uint32_t{NFQA_CFG_F_UID_GID}})
    if (knows_flag(socket->get(), number, flag)) flags |= flag;
  if ((flags & NFQA_CFG_F_GSO) == 0)
    log::warning("this kernel segments large packets before it queues them (no NFQA_CFG_F_GSO)");

  if (const int error = bind_queue(socket->get(), number, config, flags); error != 0)
    return fail(explain_refusal(number, error));
  for (const QueueState& state : queue_states())
    if (state.number == number && state.copy_mode != NFQNL_COPY_PACKET)
      return fail(format("the kernel did not take the settings of queue {}", number));
  return socket;
}

std::vector<QueueState> queue_states() {
  std::vector<QueueState> states;
  std::ifstream table("/proc/thread-self/net/netfilter/nfnetlink_queue");
  std::string line;
  while (std::getline(table, line)) {
    std::istringstream columns(line);
    QueueState state;
    unsigned copy_mode = 0, copy_range = 0;
    columns >> state.number >> state.owner >> state.waiting >> copy_mode >> copy_range >>
        state.dropped_full >> state.dropped_socket >> state.last_id;
    state.copy_mode = static_cast<std::uint8_t>(copy_mode);
    if (columns) states.push_back(state);
  }
  return states;
}

}  // namespace nfsteer::netlink
