// The network interfaces, and word of their changes (rtnetlink(7)).
#include "interfaces.hpp"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "attributes.hpp"
#include "nfsteer/netlink.hpp"
#include "socket.hpp"

namespace nfsteer::netlink {

void read_interface(std::vector<Interface>& interfaces, const nlmsghdr& message) {
  if (behind(message, 0).size() < sizeof(ifinfomsg)) return;
  const auto* header = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
  const Attributes<IFLA_IFNAME> attributes(behind(message, sizeof *header));
  interfaces.emplace_back(static_cast<std::uint32_t>(header->ifi_index),
                          attributes.text(IFLA_IFNAME));
}

Result<std::vector<Interface>> interfaces() {
  alignas(nlmsghdr) std::array<char, 256> bytes{};
  nlmsghdr* message = mnl_nlmsg_put_header(bytes.data());
  message->nlmsg_type = RTM_GETLINK;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message->nlmsg_seq = 1;
  mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg));
  mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return dump<std::vector<Interface>>("listing interfaces", *message, read_interface,
                                      NETLINK_ROUTE);
}

Result<Fd> open_interface_monitor() {
  constexpr const char* kDoing = "watching interfaces";
  Fd monitor(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!monitor) return tl::unexpected(netlink_error(kDoing, errno));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK;
  if (::bind(monitor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return tl::unexpected(netlink_error(kDoing, errno));
  return monitor;
}

void drain_interface_monitor(int monitor) noexcept {
  // What does not fit is thrown away with the rest of its message. ENOBUFS tells,
  // once, that messages were lost.
  char byte = 0;
  while (::recv(monitor, &byte, sizeof byte, MSG_DONTWAIT) >= 0 || errno == ENOBUFS ||
         errno == EINTR) {
  }
}

}  // namespace nfsteer::netlink
