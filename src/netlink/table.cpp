// The table itself: what each of its sets and chains is.
#include "table.hpp"

#include <linux/netfilter.h>

#include <algorithm>
#include <iterator>

#include "nfsteer/base/text.hpp"
#include "statements.hpp"

namespace nfsteer::netlink {
namespace {

constexpr MarkOf kPacket = MarkOf::Packet, kConntrack = MarkOf::Conntrack;

// ---- places -----------------------------------------------------------------
//
// A packet that leaves a base chain, also one that was queued and accepted,
// goes on to the next base chain of its hook, never to the next rule: hence two
// chains, of which the first queues and the second acts on the answer. Those at
// output are of type `route`: it routes anew by the mark that they leave, with
// our bits cleared, as other programs' rules expect it.

constexpr Place kSteer{"filter", "prerouting", NF_INET_PRE_ROUTING, "mangle", -150};
constexpr Place kKeep{"filter", "prerouting", NF_INET_PRE_ROUTING, "mangle + 1", -149};
constexpr Place kRewrite{"nat", "prerouting", NF_INET_PRE_ROUTING, "dstnat", -100};
constexpr Place kSteerLocal{"route", "output", NF_INET_LOCAL_OUT, "mangle", -150};
constexpr Place kKeepLocal{"route", "output", NF_INET_LOCAL_OUT, "mangle + 1", -149};
constexpr Place kRewriteLocal{"nat", "output", NF_INET_LOCAL_OUT, "-100", -100};
constexpr Place kHairpin{"filter", "forward", NF_INET_FORWARD, "mangle", -150};
constexpr Place kSource{"nat", "postrouting", NF_INET_POST_ROUTING, "srcnat", 100};

// ---- names ------------------------------------------------------------------

std::string of_family(const char* name, Family family) {
  return format("{}{}", name, family == Family::V4 ? 4 : 6);
}

// ---- sets -------------------------------------------------------------------

// What the engine's mark on a packet leads to.
Set decided(const Ruleset& ruleset) {
  return {"decided", kMarkType, kVerdictType, false, [&ruleset](const Set::Reader& read) {
            const auto leads_to = [&read](std::uint32_t mark, std::string chain) {
              Element element(MarkBits{mark});
              element.data = Goto{std::move(chain)};
              read(element);
            };
            for (const auto& server : ruleset.servers)
              leads_to(ruleset.mark.server(server.id), server_chain(server.id));
            leads_to(ruleset.mark.reject(), "refuse");
            leads_to(ruleset.mark.pass(), "pass");
          }};
}

Set scope(const Ruleset& ruleset, Family family) {
  return {of_family("scope", family),
          address_type(family),
          {},
          true,
          [&ruleset, family](const Set::Reader& read) {
            for (const auto& range : ruleset.scope)
              if (range.first.family == family) read(Element(range.first, range.last));
          }};
}

// Servers that have a port of their own.
Set endpoints(const Ruleset& ruleset, Family family) {
  return {of_family("server", family), kMarkType, endpoint_type(family), false,
          [&ruleset, family](const Set::Reader& read) {
            for (const auto& server : ruleset.servers) {
              if (server.address.family != family || !server.port) continue;
              Element element(MarkBits{ruleset.mark.server(server.id)});
              element.data = Value(Endpoint{server.address, *server.port});
              read(element);
            }
          }};
}

// All servers: for flows of protocols without ports, too.
Set addresses(const Ruleset& ruleset, Family family) {
  return {of_family("server", family) + "_keep_port", kMarkType, address_type(family), false,
          [&ruleset, family](const Set::Reader& read) {
            for (const auto& server : ruleset.servers) {
              if (server.address.family != family) continue;
              Element element(MarkBits{ruleset.mark.server(server.id)});
              element.data = Value(server.address);
              element.comment = server.name;
              read(element);
            }
          }};
}

Set masqueraded(const Ruleset& ruleset) {
  return {"masqueraded", kMarkType, {}, false, [&ruleset](const Set::Reader& read) {
            for (const auto& server : ruleset.servers)
              if (server.snat) read(Element(MarkBits{ruleset.mark.server(server.id)}));
          }};
}

Set probe_users(const Ruleset& ruleset) {
  return {"probe_users", kUserType, {}, false, [&ruleset](const Set::Reader& read) {
            for (const std::uint32_t user : ruleset.probe_users) read(Element(UserId{user}));
          }};
}

std::vector<Set> all_sets(const Ruleset& ruleset) {
  std::vector<Set> sets{decided(ruleset)};
  for (const Family family : {Family::V4, Family::V6}) sets.push_back(scope(ruleset, family));
  for (const Family family : {Family::V4, Family::V6}) {
    sets.push_back(endpoints(ruleset, family));
    sets.push_back(addresses(ruleset, family));
  }
  sets.push_back(masqueraded(ruleset));
  sets.push_back(probe_users(ruleset));
  for (const Family family : {Family::V4, Family::V6})
    sets.push_back(fallback_set(ruleset, family));
  return sets;
}

// ---- base chains ------------------------------------------------------------

// Packets of flows that are decided, or not ours to decide: they are let go by
// the first two rules. TCP that does not open a connection is left alone, or a
// lost conntrack entry would send the rest of a connection to another server.
Rule let_go_if_decided(const Ruleset& ruleset) {
  return {is_marked(kConntrack, ruleset.mark), accept()};
}
Rule let_go_if_not_new() {
  return {is_not_new(), accept()};
}
// What starts here is for the chains at output, also where it comes back by lo.
Rule let_go_if_local() {
  return {came_over_loopback(), accept()};
}
Rule let_go_if_not_opening() {
  return {is_tcp(), is_not_plain_syn(), accept()};
}
Rule let_go_if_for_many() {
  return {is_for_many(), accept()};
}

// Programs that ask how servers are, and cannot mark what they send.
Rule let_go_if_of_a_probe() {
  return {user_is_in("probe_users"), accept()};
}

// The packet has our bits already: it is decided, such as our own health probes.
Rule let_go_if_marked(const Ruleset& ruleset) {
  return {is_marked(kPacket, ruleset.mark), accept()};
}

// A chain that begins with the rules that let go, as both kinds below do.
Chain for_new_flows(const char* name, const Place& place, const Ruleset& ruleset) {
  Chain chain{name, place, {let_go_if_decided(ruleset), let_go_if_not_new()}};
  chain.rules.push_back(place.hook_number == NF_INET_PRE_ROUTING ? let_go_if_local()
                                                                 : let_go_if_of_a_probe());
  return chain;
}

void append(Chain& chain, std::vector<Rule> rules) {
  std::move(rules.begin(), rules.end(), std::back_inserter(chain.rules));
}

// Queues the packets that the engine is to decide.
Chain steer(const char* name, const Place& place, const Ruleset& ruleset, QueueForm form) {
  Chain chain = for_new_flows(name, place, ruleset);
  append(chain, {
                    let_go_if_marked(ruleset),
                    let_go_if_not_opening(),
                    let_go_if_for_many(),
                    {destination_is_in(Family::V4, "scope4"), queue(ruleset, form)},
                    {destination_is_in(Family::V6, "scope6"), queue(ruleset, form)},
                });
  return chain;
}

// Acts on the engine's answer; where there is none, on the fallback's.
Chain keep(const char* name, const Place& place, const Ruleset& ruleset) {
  Chain chain = for_new_flows(name, place, ruleset);
  append(chain, {
                    {goto_by_mark(kPacket, ruleset.mark, "decided")},
                    let_go_if_marked(ruleset),  // by whom else
                    let_go_if_not_opening(),
                    let_go_if_for_many(),
                    {goto_by_destination(Family::V4, "fallback4")},
                    {goto_by_destination(Family::V6, "fallback6")},
                });
  return chain;
}

// A port can be rewritten only where there is one. Flows that a conntrack helper
// expected (RELATED) have the mark of their master, and their own destination.
Chain rewrite(const char* name, const Place& place, const Ruleset& ruleset) {
  Chain chain{name, place, {}};
  for (const Family family : {Family::V4, Family::V6}) {
    const std::string map = of_family("server", family);
    chain.rules.push_back(
        {is_new(), has_ports(), rewrite_destination(family, ruleset.mark, map, true)});
    chain.rules.push_back(
        {is_new(), rewrite_destination(family, ruleset.mark, map + "_keep_port", false)});
  }
  return chain;
}

// A flow that goes back to where it came from: its server would answer the
// client directly, if it saw the client's address. PASS in the packet's mark
// tells `source` of it.
Chain hairpin(const Ruleset& ruleset) {
  Chain chain{"hairpin", kHairpin, {}};
  chain.rules = {{is_new(), is_rewritten(), is_marked(kConntrack, ruleset.mark),
                  leaves_where_it_came_in(), set_mark(kPacket, ruleset.mark, ruleset.mark.pass())}};
  return chain;
}

Chain source(const Ruleset& ruleset) {
  Chain chain{"source", kSource, {}};
  chain.rules = {
      {mark_is_in(kConntrack, ruleset.mark, "masqueraded"), masquerade()},
      {is_rewritten(), is_marked_pass(kPacket, ruleset.mark), masquerade()},
  };
  return chain;
}

// ---- chains that others go to -----------------------------------------------

// The conntrack entry keeps the decision, for all packets of the flow. One
// chain a decision, as a kernel before 6.13 sets a mark's bits to constants only.
Chain remember(std::string name, const MarkLayout& layout, std::uint32_t ours) {
  Chain chain{std::move(name), {}, {}};
  chain.rules = {{set_mark(kConntrack, layout, ours)}, {set_mark(kPacket, layout, 0)}};
  return chain;
}

// Conntrack tells of the flows of servers, also where it tells of no others
// (nf_conntrack_events = 0), and also of those that no engine was there to hear of.
Chain server(const MarkLayout& layout, ServerId id) {
  Chain chain = remember(server_chain(id), layout, layout.server(id));
  chain.rules.insert(chain.rules.begin(), {report_events()});
  return chain;
}

Chain refuse() {
  return {"refuse", {}, {{is_tcp(), reject_with_reset()}, {reject_as_prohibited()}}};
}

std::vector<Chain> all_chains(const Ruleset& ruleset, QueueForm form) {
  std::vector<Chain> chains;
  if (ruleset.prerouting) {
    chains.push_back(steer("steer", kSteer, ruleset, form));
    chains.push_back(keep("keep", kKeep, ruleset));
    chains.push_back(rewrite("rewrite", kRewrite, ruleset));
    chains.push_back(hairpin(ruleset));
  }
  if (ruleset.output) {
    chains.push_back(steer("steer_local", kSteerLocal, ruleset, form));
    chains.push_back(keep("keep_local", kKeepLocal, ruleset));
    chains.push_back(rewrite("rewrite_local", kRewriteLocal, ruleset));
  }
  chains.push_back(source(ruleset));
  chains.push_back(refuse());
  chains.push_back(remember("pass", ruleset.mark, ruleset.mark.pass()));
  for (const auto& each : ruleset.servers) chains.push_back(server(ruleset.mark, each.id));
  for (const auto& group : ruleset.fallback_groups)
    if (has_fallback_chain(group))
      chains.push_back({fallback_chain(group), {}, {fallback_rule(group)}});
  return chains;
}

ElementData verdict_of(const Ruleset::FallbackGroup& group) {
  if (has_fallback_chain(group)) return Goto{fallback_chain(group)};
  return verdict_of(group.members.front());
}

}  // namespace

std::string fallback_chain(const Ruleset::FallbackGroup& group) {
  return format("fallback_{}_{}", group.name, group.family == Family::V4 ? 4 : 6);
}

// Where there is nothing to choose and never will be, no chain has to.
bool has_fallback_chain(const Ruleset::FallbackGroup& group) {
  return group.members.size() > 1 || group.members.front().action == Action::Steer;
}

Rule fallback_rule(const Ruleset::FallbackGroup& group) {
  return {goto_by_hash(group.family, group.members)};
}

Set fallback_set(const Ruleset& ruleset, Family family) {
  return {of_family("fallback", family), address_type(family), kVerdictType, true,
          [&ruleset, family](const Set::Reader& read) {
            for (const auto& range : ruleset.fallback) {
              if (range.first.family != family) continue;
              Element element(range.first, range.last);
              element.data = verdict_of(ruleset.fallback_groups[range.group]);
              read(element);
            }
          }};
}

TableDescription describe(const Ruleset& ruleset, QueueForm form) {
  return {all_sets(ruleset), all_chains(ruleset, form)};
}

}  // namespace nfsteer::netlink
