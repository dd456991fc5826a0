// The events of nf_tables.
#pragma once

#include <optional>

#include "attributes.hpp"
#include "nfsteer/netlink.hpp"

namespace nfsteer::netlink {

// What others did to our table in the transactions that end in the datagram: the last.
// `is_ours`: whether the transaction that goes on is about our table; false at first.
// REQUIRES: aligned as a nlmsghdr
std::optional<RulesetMonitor::Change> read_changes(MessageBytes datagram, bool& is_ours);

}  // namespace nfsteer::netlink
