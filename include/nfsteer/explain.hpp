// Why a flow would be decided as it would be: the real decide(), which moves no
// cursor and counts nothing, and every step of the way to its answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nfsteer/base/address.hpp"
#include "nfsteer/base/result.hpp"
#include "nfsteer/flow.hpp"
#include "nfsteer/policy.hpp"
#include "nfsteer/schedule.hpp"

namespace nfsteer {

// ---- the question -------------------------------------------------------------

// A flow as a person names it.
struct FlowQuestion {
  // "tcp 192.0.2.7:40000 [2001:db8::7]:443", "icmp 192.0.2.7 10.9.9.9": protocol,
  // source and destination; ports where the protocol has them.
  std::string flow = {};
  std::optional<std::string> iif = {}, oif = {}, mark = {}, uid = {}, gid = {};
  std::optional<std::string> icmp_type = {};  // absent: echo-request
  std::optional<std::string> at = {};         // as parse_moment() reads it; absent: now
};

// All of a FlowQuestion but the flow itself.
struct FlowOption {
  const char* name;
  std::optional<std::string> FlowQuestion::*value;
  const char* takes;    // what stands for the value in help
  const char* summary;  // one line, for people
};
inline constexpr FlowOption kFlowOptions[] = {
    {"iif", &FlowQuestion::iif, "NAME", "Interface that it comes in by"},
    {"oif", &FlowQuestion::oif, "NAME", "Interface that it goes out by"},
    {"mark", &FlowQuestion::mark, "MARK", "Mark of its packet"},
    {"uid", &FlowQuestion::uid, "USER", "User of a local flow: a name or a number"},
    {"gid", &FlowQuestion::gid, "GROUP", "Group of a local flow: a name or a number"},
    {"icmp_type", &FlowQuestion::icmp_type, "TYPE", "Type of ICMP or ICMPv6; default echo-request"},
    {"at", &FlowQuestion::at, "TIME", "When, such as \"fri 23:10\"; default now"},
};

// The flow that is asked about. The error names the word that is wrong, and the
// remedy. Looks users up on this machine.
Result<Flow> parse_flow(const FlowQuestion& question);
// The time that is asked about.
Result<Time> parse_time(const FlowQuestion& question, Time now);

// The flow as a person reads it: "tcp 192.0.2.7:40000 -> 10.9.9.9:80, iif eth0".
std::string flow_text(const Flow& flow);

// ---- the answer ---------------------------------------------------------------

// One thing that was looked at. What the texts are:
//   kind           name             outcome
//   "policy"       of the policy    "no match", "counted", "passed over", "taken"
//   "table"        of the table     "no route", "taken"
//   "route"        its prefix       "passed over", "shares", "taken"
//   "default"      the group        "passed over", "taken"
//   "on_no_route"  what it says     "passed over", "taken"
//   "group"        of the group     "taken"
//   "server"       "group/server"   "taken"
//   "otherwise"    the next choice  "next"
// "shares": another route of the same prefix and metric had this flow.
struct Step {
  std::string kind, name, outcome;
  std::string why;  // for people

  friend bool operator==(const Step&, const Step&) = default;
};

struct RouteTaken {
  std::string prefix;
  std::uint32_t metric = 0;
  std::uint32_t weight = 1;

  friend bool operator==(const RouteTaken&, const RouteTaken&) = default;
};

struct Explanation {
  std::string flow;
  std::string at;      // RFC 3339, UTC
  std::string action;  // "steer", "accept", "drop", "reject"
  std::optional<std::string> policy, table;
  std::optional<RouteTaken> route;
  std::optional<std::string> group;
  std::optional<std::string> server;  // "group/server"
  std::optional<std::string> address;
  std::optional<std::uint16_t> port;  // that the server gets; none where the protocol has none
  std::uint32_t mark = 0;             // our bits, those under `mark_mask`
  std::uint32_t mark_mask = 0;
  std::optional<std::string> failed_group;  // the first that had no server for the flow
  std::string kernel;                       // what the kernel does with it
  std::vector<Step> steps;                  // in the order in which they are taken
  // What `steps` is spared: earlier policies that were tried, policies behind the
  // one that took the flow, and routes that did not.
  std::uint64_t policies_left_out = 0, policies_not_reached = 0, routes_left_out = 0;

  friend bool operator==(const Explanation&, const Explanation&) = default;
};
inline constexpr std::size_t kPolicyStepsMax = 1'000;
inline constexpr std::size_t kRouteStepsMax = 1'000;
// Of servers that take no flows as many are told.
inline constexpr std::size_t kAbsencesMax = 10;

// What decide() would answer now, and why. `situation` is of the snapshot, at the time
// `at`; `now_s` is as for decide(). Any thread; takes a time that grows with the number
// of policies.
Explanation explain(const Snapshot& snapshot, const Situation& situation, const Flow& flow, Time at,
                    std::uint32_t now_s = 0);

}  // namespace nfsteer
