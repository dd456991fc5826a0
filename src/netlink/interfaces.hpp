// The kernel's listing of network interfaces.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

struct nlmsghdr;

namespace nfsteer::netlink {

using Interface = std::pair<std::uint32_t, std::string>;

// Takes up one message of the listing. REQUIRES: message.nlmsg_len bytes are there
void read_interface(std::vector<Interface>& interfaces, const nlmsghdr& message);

}  // namespace nfsteer::netlink
