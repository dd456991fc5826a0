#include "socket.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "attributes.hpp"
#include "nfsteer/base/text.hpp"
#include "privilege.hpp"

namespace nfsteer::netlink {

Socket open_socket(int netlink_family) {
  Socket socket(mnl_socket_open2(netlink_family, SOCK_CLOEXEC));
  if (socket && mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) != 0) return nullptr;
  return socket;
}

Error netlink_error(const std::string& doing, int code) {
  if (code == EPERM) return {format("{}: {}", doing, kPrivilegeNeeded)};
  return {format("{}: {}", doing, std::strerror(code))};
}

int request(const nlmsghdr& message) {
  return dump_once(message, [](const nlmsghdr&) {});
}

int dump_once(const nlmsghdr& message, const MessageReader& read, int netlink_family) {
  const Socket socket = open_socket(netlink_family);
  if (!socket || mnl_socket_sendto(socket.get(), &message, message.nlmsg_len) < 0) return errno;
  alignas(nlmsghdr) std::array<char, 1 << 16> bytes;
  for (;;) {
    const ssize_t received = mnl_socket_recvfrom(socket.get(), bytes.data(), bytes.size());
    if (received < 0 && errno == EINTR) continue;
    if (received < 0) return errno;
    const DumpPart part =
        read_dump(std::as_bytes(std::span(bytes)).first(static_cast<std::size_t>(received)), read);
    if (part.error != 0) return part.error;
    if (part.was_interrupted) return EINTR;
    if (part.is_last) return 0;
  }
}

}  // namespace nfsteer::netlink
