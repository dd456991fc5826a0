// Messages of conntrack: what requests begin with, and what reports say.
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>
#include <optional>

#include "nfsteer/base/mark.hpp"
#include "nfsteer/feedback.hpp"

namespace nfsteer::netlink {

// Begins a request of IPCTNL_MSG_CT_*, for entries of both families.
nlmsghdr* put_conntrack_request(char* bytes, std::uint16_t type, std::uint16_t flags);

// The tuple, as an attribute of that type (CTA_TUPLE_ORIG).
void put_tuple(nlmsghdr& message, std::uint16_t type, const FiveTuple& tuple);

// What an event (kind is told by the message) or an entry of a dump says. nullopt:
// not a message of conntrack, or without what every such message has. `bytes` is
// how much of the message there is.
std::optional<FlowReport> read_flow(const nlmsghdr& message, std::size_t bytes, bool is_listed,
                                    const MarkLayout& layout) noexcept;

}  // namespace nfsteer::netlink
