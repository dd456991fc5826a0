// What the kernel asks of those who administer a network.
#pragma once

namespace nfsteer::netlink {

// What to say where may_administer_network() is false.
inline constexpr const char* kPrivilegeNeeded =
    "CAP_NET_ADMIN is needed: run as root, or give the service that capability";

}  // namespace nfsteer::netlink
