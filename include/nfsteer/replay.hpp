// What rules files would have done: to the flows of a capture, or to flows made up
// so that every rule is met. The decisions are the engine's own (Steering), by the
// clock of the flows.
//
//   auto flows = CaptureFlows::open("wan.pcap", config.engine.copy_bytes);
//   Rehearsal rehearsal(config);
//   rehearse(*flows, rehearsal, [](const FlowEvent&, const Decision&) { return true; });
//   ReplayReport report = rehearsal.report();
//
// Needs neither privilege nor kernel. One thread's own.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nfsteer/base/result.hpp"
#include "nfsteer/explain.hpp"
#include "nfsteer/flow.hpp"
#include "nfsteer/policy.hpp"
#include "nfsteer/schedule.hpp"
#include "nfsteer/steering.hpp"

namespace nfsteer {

// ---- where flows come from --------------------------------------------------------

// A flow begins, or is over.
struct FlowEvent {
  // Tells apart the flows that are not over; given again when they are.
  std::uint32_t number = 0;
  std::optional<Flow> flow = {};      // that begins; absent: it is over
  Time at = {};                       // by the clock on the wall
  std::chrono::nanoseconds after{0};  // the first event; never goes back
  std::uint64_t packet = 0;           // that opens it, from 1; 0: there is none
};

// A capture, flows made up, what an engine has written down.
class FlowSource {
 public:
  virtual ~FlowSource() = default;
  // nullopt: there are no more.
  virtual std::optional<FlowEvent> next() = 0;
};

// ---- captures -----------------------------------------------------------------------

// The packets of a capture, by what became of them: `packets` is the sum of `opened`,
// `followed`, `mid_stream`, `apart`, `not_ip` and all of `malformed`.
struct CaptureCounts {
  std::uint64_t packets = 0;
  std::uint64_t opened = 0;      // the first of a flow
  std::uint64_t followed = 0;    // of flows that were known
  std::uint64_t mid_stream = 0;  // the first that is there of a TCP connection, and no SYN
  std::uint64_t apart = 0;       // of no flow: ICMP errors, neighbour discovery, multicast
  std::uint64_t not_ip = 0;
  std::map<std::string, std::uint64_t> malformed;  // by name() of a ParseError

  std::uint64_t truncated = 0;       // among them: not captured whole
  std::uint64_t backward = 0;        // among them: of a time before that of the packet before
  std::uint64_t evicted = 0;         // flows forgotten for want of room: kFlowsMax
  std::optional<Time> first;         // when the first packet was captured
  std::chrono::nanoseconds span{0};  // from the first to the last
};

// The flows of a capture file, as the kernel's conntrack would find them, with its
// default time-outs. A TCP connection begins with a plain SYN. What the kernel does
// not tell a capture, flows do not have: interfaces, marks, users.
class CaptureFlows final : public FlowSource {
 public:
  // Of pcap or pcapng; "-" is standard input. Of each packet `copy_bytes` are read, as
  // the engine does. The error says why the file is no capture.
  static Result<CaptureFlows> open(const std::string& path, std::uint32_t copy_bytes);

  CaptureFlows(CaptureFlows&&) noexcept;
  ~CaptureFlows() override;

  std::optional<FlowEvent> next() override;

  CaptureCounts counts() const;
  // Why the capture could not be read to its end.
  const std::optional<Error>& error() const noexcept;

  // Called now and then: how many packets were read, and how much of the file, 0 to
  // 1, where that is known.
  using Progress = std::function<void(std::uint64_t packets, std::optional<double> share)>;
  void on_progress(Progress progress);

 private:
  struct Inside;
  explicit CaptureFlows(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

// Flows at a time. Memory grows with them, and is at most 400 MiB.
inline constexpr std::size_t kFlowsMax = std::size_t{4} << 20;

// ---- flows made up --------------------------------------------------------------------

// Flows by which every rule of some configurations is met, where a search finds one that
// meets it: for each `match` of a policy, each route, each default. Ports, prefixes and
// the like are tried at both sides of each bound, schedules while they are on and off.
// They are the same whenever they are made.
class MadeFlows final : public FlowSource {
 public:
  // The snapshots outlive it.
  explicit MadeFlows(std::vector<const Snapshot*> snapshots);
  ~MadeFlows() override;

  std::optional<FlowEvent> next() override;

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

// ---- one rules file -------------------------------------------------------------------

// What was decided for a flow, by names.
struct NamedDecision {
  std::string action;  // "steer", "accept", "drop", "reject"
  std::optional<std::string> policy, table;
  std::optional<RouteTaken> route;
  std::optional<std::string> group;
  std::optional<std::string> server;  // "group/server"
  std::optional<std::string> address;
  std::optional<std::uint16_t> port;

  friend bool operator==(const NamedDecision&, const NamedDecision&) = default;
};
NamedDecision named(const Snapshot& snapshot, const Decision& decision, bool with_server = true);
// "web/web1", "web", "drop".
std::string place_text(const NamedDecision& decision);
// "policy ssh", "route 10.9.9.9/32 of main", "default of main", "on_no_route".
std::string rule_text(const NamedDecision& decision);

// Where the flows of a rehearsal went.
struct ReplayReport {
  std::uint64_t flows = 0;
  std::map<std::string, std::uint64_t> actions;  // all four

  struct PolicyFlows {
    std::string name;
    bool dry_run = false;  // counts the flows that match, and lets them go on
    std::uint64_t flows = 0;
  };
  struct RouteFlows {
    RouteTaken route;
    std::string target;  // the group, or an action such as "drop"
    std::uint64_t flows = 0;
  };
  struct TableFlows {
    std::string name;
    std::uint64_t flows = 0;
    std::uint64_t default_flows = 0;
    std::vector<RouteFlows> routes;  // that were met, sorted by prefix, then metric
  };
  struct ServerFlows {
    std::string name, address;
    std::optional<std::uint16_t> port;
    std::uint64_t flows = 0;
  };
  struct GroupFlows {
    std::string name, algorithm;
    std::uint64_t flows = 0;
    std::uint64_t failed = 0;  // for which it was the first to be asked, without a server
    std::uint64_t able = 0;    // servers that take flows
    bool is_fixed = false;     // is_fixed() for both families
    std::vector<ServerFlows> servers;

    // Whether fewer than half of its servers take flows.
    bool is_weak() const noexcept { return able * 2 < servers.size(); }
  };
  std::vector<PolicyFlows> policies;  // in the order in which they are asked, as tables
  std::vector<TableFlows> tables;
  std::uint64_t no_route = 0;  // flows that nothing took
  std::vector<GroupFlows> groups;

  std::uint64_t rules = 0;           // policies, routes, and defaults of tables
  std::vector<std::string> not_met;  // as rule_text(); kRulesListedMax at most
  std::uint64_t not_met_unlisted = 0;
};
inline constexpr std::size_t kRulesListedMax = 1'000;

// Decides by one configuration as an engine of one worker would that starts with the
// first flow, with all servers up. A flow counts as its server's until it is over.
// Latencies of servers are not known.
class Rehearsal {
 public:
  // REQUIRES: validate(config) is empty
  explicit Rehearsal(const Config& config);

  // For a flow that begins.
  Decision decide(const FlowEvent& event);
  // A flow is over.
  void end(std::uint32_t number);

  const Snapshot& snapshot() const noexcept { return steering_.snapshot(); }
  // Whether the server of the group's flows of that family follows from the flow alone:
  // by a hash, or as there is but one. Others go in turn, by lot or by load.
  bool is_fixed(std::uint32_t group, Family family) const noexcept {
    return fixed_[group][static_cast<std::size_t>(family)];
  }
  ReplayReport report() const;

 private:
  bool has_one_choice(std::size_t group, Family family) const;
  void set_time(Time at);
  void assign(std::uint32_t number, ServerId server);
  const Tallies& tallies() const noexcept;
  void report_rules(ReplayReport& report) const;
  void report_table(std::size_t index, ReplayReport& report) const;
  void report_group(std::size_t index, ReplayReport& report) const;

  Steering steering_{1};
  std::vector<std::array<bool, 2>> fixed_;  // by group and family
  std::optional<Time> time_;
  Time next_change_ = Time::min();
  std::vector<ServerId> servers_;        // by the number of the flow; 0: of none
  std::vector<std::uint32_t> assigned_;  // to each server, by its gauge
  std::array<std::uint64_t, 4> actions_{};
  std::vector<std::uint64_t> defaults_;  // by table
  std::vector<std::uint64_t> taken_;     // by server
  std::uint64_t no_route_ = 0;
};

// Of each flow that begins; false ends the rehearsal.
using EachDecision = std::function<bool(const FlowEvent& event, const Decision& decision)>;
void rehearse(FlowSource& flows, Rehearsal& rehearsal, const EachDecision& each);

// ---- two rules files ------------------------------------------------------------------

// Flows that go elsewhere by another configuration: from one place to another, by one
// rule and another. They have a server only where it can be compared.
struct Move {
  std::uint64_t flows = 0;
  NamedDecision from, to;
  std::string example;  // such a flow
  Time example_at;
};

// A group of both configurations whose flows are shared out in another way.
struct ChangedGroup {
  std::string name;
  std::vector<std::string> changes;  // "web3 is new"
  std::uint64_t flows = 0;           // that go to it by both
};

struct Comparison {
  std::uint64_t flows = 0;
  std::uint64_t moved = 0;
  std::uint64_t rerouted = 0;  // that go to the same place by another rule
  std::vector<Move> moves;     // most flows first; kMovesMax at most
  std::uint64_t moved_unlisted = 0;
  std::vector<ChangedGroup> changed;
  ReplayReport before, after;

  bool differs() const noexcept { return moved > 0 || !changed.empty(); }
};
inline constexpr std::size_t kMovesMax = 10'000;

// Decides all flows by both. A flow moves when its action, its group or its server
// differs; the server only where both groups' choice is_fixed(). `each` is called for
// flows that move; false ends the comparison.
using EachMove =
    std::function<bool(const FlowEvent& event, const NamedDecision& from, const NamedDecision& to)>;
Comparison compare(FlowSource& flows, Rehearsal& before, Rehearsal& after, const EachMove& each);

}  // namespace nfsteer
