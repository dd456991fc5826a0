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
    std::optional<Refusal> refused;
    each_message(std::as_bytes(std::span(bytes)).first(static_cast<std::size_t>(received)),
                 [&](const nlmsghdr& answer) {
                   if (answer.nlmsg_type != NLMSG_ERROR) return true;
                   const int code = error_in(answer);
                   done = true;
                   if (code != 0) refused = refusal(answer.nlmsg_seq, code, refused_offset(answer));
                   return code == 0;
                 });
    if (refused) return tl::unexpected(*std::move(refused));
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
  if (!is_rule || offset == 0 || offset % NLMSG_ALIGNTO != 0 || offset > header->nlmsg_len)
    return {};
  const auto all = std::as_bytes(std::span(buffer_)).subspan(message.offset, header->nlmsg_len);
  const Attributes<NFTA_EXPR_NAME> expression(first_attribute(all.subspan(offset)));
  return std::string(expression.text(NFTA_EXPR_NAME));
}

}  // namespace nfsteer::netlink
