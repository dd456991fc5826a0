// What the kernel asks of those who administer a network.
#pragma once

namespace nfsteer::netlink {

// Whether this thread has CAP_NET_ADMIN in effect.
bool may_administer_network();

inline constexpr const char* kPrivilegeNeeded =
    "CAP_NET_ADMIN is needed: run as root, or give the service that capability";

}  // namespace nfsteer::netlink
