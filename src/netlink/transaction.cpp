// How a transaction is sent, and what the kernel answers.
#include <libnftnl/common.h>
#include <linux/netfilter/nf_tables.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <mutex>

#include "messages.hpp"
#include "socket.hpp"

namespace nfsteer::netlink {
namespace {

// A transaction is one datagram, and must fit the socket's buffer.
void make_room(mnl_socket* socket, std::size_t bytes) {
  const int size = static_cast<int>(std::min<std::size_t>(bytes + (1u << 16), 1u << 30));
  int now = 0;
  socklen_t length = sizeof now;
  ::getsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_SNDBUF, &now, &length);
  if (now < size)
    ::setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
}

// The kernel says which attribute it refused, and does not send back all that
// we sent.
void ask_for_details(mnl_socket* socket) {
  int on = 1;
  mnl_socket_setsockopt(socket, NETLINK_EXT_ACK, &on, sizeof on);
  mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &on, sizeof on);
}

// Reads the place of the refused attribute in our message.
int read_offset(const nlattr* attribute, void* offset) {
  if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_OFFS)
    *static_cast<std::size_t*>(offset) = mnl_attr_get_u32(attribute);
  return MNL_CB_OK;
}

int read_name(const nlattr* attribute, void* name) {
  if (mnl_attr_get_type(attribute) == NFTA_EXPR_NAME)
    *static_cast<std::string*>(name) = mnl_attr_get_str(attribute);
  return MNL_CB_OK;
}

// The place of the refused attribute in our message, or 0.
std::size_t bad_attribute(const nlmsghdr* answer) {
  if ((answer->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return 0;
  const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(answer));
  std::size_t skipped = sizeof *error;
  if ((answer->nlmsg_flags & NLM_F_CAPPED) == 0)
    skipped += aligned(error->msg.nlmsg_len) - sizeof error->msg;
  std::size_t offset = 0;
  mnl_attr_parse(answer, static_cast<unsigned>(skipped), read_offset, &offset);
  return offset;
}

// The ports of the last transactions: of each a socket of its own.
class OwnPorts {
 public:
  void add(std::uint32_t port) {
    const std::lock_guard lock(mutex_);
    ports_[next_++ % ports_.size()] = port;
  }
  bool contains(std::uint32_t port) {
    const std::lock_guard lock(mutex_);
    return std::ranges::find(ports_, port) != ports_.end();
  }

 private:
  std::mutex mutex_;
  std::array<std::uint32_t, 256> ports_{};
  std::size_t next_ = 0;
};
OwnPorts own_ports;

}  // namespace

bool is_own_port(std::uint32_t port) {
  return own_ports.contains(port);
}

tl::expected<void, Refusal> Transaction::send() && {
  nftnl_batch_end(scratch_.data(), static_cast<std::uint32_t>(sent_.size()));
  end_message({});
  return talk();
}

// The kernel takes back what it was not told the end of.
tl::expected<void, Refusal> Transaction::check() && {
  return talk();
}

tl::expected<void, Refusal> Transaction::talk() const {
  const Socket socket = open_socket();
  if (!socket) return tl::unexpected(Refusal{errno, {}, {}});
  make_room(socket.get(), buffer_.size());
  ask_for_details(socket.get());
  own_ports.add(mnl_socket_get_portid(socket.get()));
  if (mnl_socket_sendto(socket.get(), buffer_.data(), buffer_.size()) < 0)
    return tl::unexpected(Refusal{errno, {}, {}});
  return read_answers(socket.get());
}

// All answers are there when sendto() returns. Where the transaction failed
// they may be many, more than the socket holds: the first one counts.
tl::expected<void, Refusal> Transaction::read_answers(mnl_socket* socket) const {
  bool done = false;
  alignas(nlmsghdr) std::array<char, 1 << 14> bytes;
  for (;;) {
    const ssize_t received =
        ::recv(mnl_socket_get_fd(socket), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (received < 0 && (errno == EINTR || errno == ENOBUFS)) continue;
    if (received < 0) break;
    int left = static_cast<int>(received);
    for (auto* answer = reinterpret_cast<const nlmsghdr*>(bytes.data()); mnl_nlmsg_ok(answer, left);
         answer = mnl_nlmsg_next(answer, &left)) {
      if (answer->nlmsg_type != NLMSG_ERROR) continue;
      const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(answer));
      if (error->error != 0)
        return tl::unexpected(refusal(answer->nlmsg_seq, -error->error, bad_attribute(answer)));
      done = true;
    }
  }
  if (done) return {};
  return tl::unexpected(Refusal{EPROTO, {}, {}});
}

Refusal Transaction::refusal(std::uint32_t sequence, int code, std::size_t bad) const {
  if (sequence >= sent_.size()) return {code, {}, {}};
  const Sent& message = sent_[sequence];
  return {code, message.object, expression_name(message, bad)};
}

// The name of the expression at `offset` of the message, where there is one.
std::string Transaction::expression_name(const Sent& message, std::size_t offset) const {
  const auto* header = reinterpret_cast<const nlmsghdr*>(buffer_.data() + message.offset);
  const bool is_rule = (header->nlmsg_type & 0xff) == NFT_MSG_NEWRULE;
  if (!is_rule || offset == 0 || offset + sizeof(nlattr) > header->nlmsg_len) return {};
  const auto* refused = reinterpret_cast<const nlattr*>(buffer_.data() + message.offset + offset);
  if (!mnl_attr_ok(refused, static_cast<int>(header->nlmsg_len - offset))) return {};
  std::string name;
  mnl_attr_parse_nested(refused, read_name, &name);
  return name;
}

}  // namespace nfsteer::netlink
