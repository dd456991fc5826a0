// The statements that our rules are made of.
#pragma once

#include "table.hpp"

namespace nfsteer::netlink {

// The mark of the packet (`meta mark`), or of its conntrack entry (`ct mark`).
enum class MarkOf { Packet, Conntrack };

// ---- matches ----------------------------------------------------------------

Statement is_marked(MarkOf of, const MarkLayout& layout);  // any of our bits is set
Statement is_marked_pass(MarkOf of, const MarkLayout& layout);
Statement mark_is_in(MarkOf of, const MarkLayout& layout, const std::string& set);
Statement user_is_in(const std::string& set);  // of packets that start here
Statement is_new();                            // no reply was seen yet
Statement is_not_new();
Statement is_rewritten();  // by destination NAT
Statement came_over_loopback();
Statement is_tcp();
Statement is_not_plain_syn();  // behind is_tcp()
Statement has_ports();
Statement is_for_many();  // broadcast, anycast, multicast
Statement leaves_where_it_came_in();
Statement destination_is_in(Family family, const std::string& set);

// ---- verdicts and actions ---------------------------------------------------

Statement accept();
// Goes to the chain that the map names for our bits of the mark, or on where
// it names none.
Statement goto_by_mark(MarkOf of, const MarkLayout& layout, const std::string& map);
Statement goto_by_destination(Family family, const std::string& map);
// The same choice for all packets of one flow; `members` as in FallbackGroup.
Statement goto_by_hash(Family family, const std::vector<Ruleset::FallbackGroup::Member>& members);
// Our bits become `ours`, the others stay.
Statement set_mark(MarkOf of, const MarkLayout& layout, std::uint32_t ours);
// Conntrack is to tell of the flow's beginning, first reply, changes of TCP state
// and end, and of nothing else.
Statement report_events();
Statement reject_with_reset();
Statement reject_as_prohibited();
// Destination NAT to what the map has for the conntrack mark, with the port
// where the map has ports.
Statement rewrite_destination(Family family, const MarkLayout& layout, const std::string& map,
                              bool with_port);
Statement masquerade();
Statement queue(const Ruleset& ruleset, QueueForm form);

// "queue flags bypass to 0-3"
std::string queue_text(std::uint16_t first, std::uint16_t count, bool bypass);
const char* name(MarkOf of);

// The chain that gives a flow to the server.
std::string server_chain(ServerId id);
// As it stands in a map of verdicts: what becomes of a flow of the member.
ElementData verdict_of(const Ruleset::FallbackGroup::Member& member);

}  // namespace nfsteer::netlink
