// A netlink socket for requests that are answered at once, and dumps.
#pragma once

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#include <functional>
#include <memory>
#include <string>

#include "nfsteer/base/result.hpp"

namespace nfsteer::netlink {

struct CloseSocket {
  void operator()(mnl_socket* socket) const noexcept { mnl_socket_close(socket); }
};
using Socket = std::unique_ptr<mnl_socket, CloseSocket>;

// To netfilter, or another family of NETLINK_*. Null, and errno, where it cannot
// be opened.
Socket open_socket(int netlink_family = NETLINK_NETFILTER);

// What the person in front of it can do about `code`, an errno, while `doing`
// something such as "listing chains".
Error netlink_error(const std::string& doing, int code);

// Sends a request that is answered by one acknowledgement. Returns an errno.
int request(const nlmsghdr& message);

using MessageReader = std::function<void(const nlmsghdr&)>;

// Sends the request of a dump and calls `read` for each message of it.
// EINTR: what was listed changed meanwhile, and `read` may have seen it wrong.
int dump_once(const nlmsghdr& message, const MessageReader& read,
              int netlink_family = NETLINK_NETFILTER);

// A dump into a T: read(T&, message) takes up each message. A dump that was
// overtaken by a change is begun anew.
template <typename T, typename Read>
Result<T> dump(const std::string& doing, const nlmsghdr& message, Read read,
               int netlink_family = NETLINK_NETFILTER) {
  constexpr int kAttempts = 20;
  int code = EINTR;
  for (int i = 0; i < kAttempts && code == EINTR; ++i) {
    T collected{};
    code = dump_once(
        message, [&](const nlmsghdr& each) { read(collected, each); }, netlink_family);
    if (code == 0) return collected;
  }
  return tl::unexpected(netlink_error(doing, code));
}

}  // namespace nfsteer::netlink
