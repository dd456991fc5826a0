// Messages of conntrack: what requests begin with, and what reports say.
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "attributes.hpp"
#include "nfsteer/base/mark.hpp"
#include "nfsteer/feedback.hpp"

namespace nfsteer::netlink {

// Begins a request of IPCTNL_MSG_CT_*, for entries of both families.
nlmsghdr* put_conntrack_request(char* bytes, std::uint16_t type, std::uint16_t flags);

// The tuple, as an attribute of that type (CTA_TUPLE_ORIG).
void put_tuple(nlmsghdr& message, std::uint16_t type, const FiveTuple& tuple);

// What an event (kind is told by the message) or an entry of a dump says. nullopt:
// not a message of conntrack, or without what every such message has. `bytes` is
// what there is of the message. REQUIRES: aligned as a nlmsghdr
std::optional<FlowReport> read_flow(MessageBytes bytes, bool is_listed,
                                    const MarkLayout& layout) noexcept;

// A part of a dump: appends the flows that carry a server's mark.
// REQUIRES: aligned as a nlmsghdr
DumpPart read_listing(MessageBytes part, const MarkLayout& layout, std::vector<FlowReport>& flows);

// The mark of an entry; 0 where it has none. REQUIRES: message.nlmsg_len bytes are
// there
std::uint32_t read_mark(const nlmsghdr& message) noexcept;

}  // namespace nfsteer::netlink
