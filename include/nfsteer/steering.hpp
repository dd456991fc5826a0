// Decisions for many threads, while the configuration, the time and the machine's
// interfaces change beside them; and what was counted meanwhile. Needs neither
// privilege nor kernel: the engine is made of it, and so can other programs be.
//
//   nfsteer::Steering steering(2);              // for two threads
//   steering.apply(config);                     // a nfsteer::Config
//   auto& decider = steering.decider(0);        // one thread's own
//   decider.enter();
//   nfsteer::Decision decision = decider.decide(flow, seconds);
//   decider.leave();
//
// Every function says which thread may call it: a decider's own thread, or the
// one control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nfsteer/base/cache.hpp"
#include "nfsteer/base/qsbr.hpp"
#include "nfsteer/base/tally.hpp"
#include "nfsteer/base/zeros.hpp"
#include "nfsteer/feedback.hpp"
#include "nfsteer/policy.hpp"

namespace nfsteer {

// ---- what deciders read -------------------------------------------------------

// The names of the machine's interfaces, by index. Constant after construction.
class InterfaceNames {
 public:
  InterfaceNames() = default;
  explicit InterfaceNames(std::span<const std::pair<std::uint32_t, std::string>> interfaces);

  // kNoInterface where there is no such index, as 0.
  InterfaceKey find(std::uint32_t index) const noexcept;

  friend bool operator==(const InterfaceNames&, const InterfaceNames&) = default;

 private:
  std::vector<std::pair<std::uint32_t, InterfaceKey>> keys_;  // ascending
};

// What one decider counts under one snapshot; indexes as in the snapshot.
struct Tallies {
  explicit Tallies(const Snapshot& snapshot);

  struct PolicyTally {
    Tally packets, bytes;
    Tally last;  // seconds of the decider's clock, plus 1; 0: never
  };
  struct RouteTally {
    Tally packets, bytes;
  };
  struct GroupTally {
    Tally requests, failed;
  };
  Zeros<PolicyTally> policies;
  std::vector<Zeros<RouteTally>> routes;  // by table
  std::vector<GroupTally> groups;
  std::vector<Tally> selected;  // by server id
};

// What the memo is asked for: the five-tuple, the type of ICMP, and a hash of what
// else of the flow the snapshot reads (mark, interfaces, user, group): packets that
// may be decided apart have keys apart.
struct MemoKey {
  std::array<std::uint64_t, 6> words{};

  MemoKey() = default;
  MemoKey(const Flow& flow, const FlowFields& reads) noexcept;
  friend bool operator==(const MemoKey&, const MemoKey&) = default;
};
std::uint64_t hash(const MemoKey& key) noexcept;

// What of a decision its later packets need, in 16 bytes: with its key one cache line.
struct Remembered {
  Action action = Action::Accept;
  bool dry_run = false;
  ServerId server = 0;
  OptionalIndex policy, table, route;

  Remembered() = default;
  explicit Remembered(const Decision& decision) noexcept;
  // The decision, without `failed_group`. `snapshot` is that of the decision.
  Decision decision(const Snapshot& snapshot) const noexcept;
};

// What one decider keeps under one snapshot: its own, but that others may read
// the counters.
struct Desk {
  explicit Desk(const Snapshot& snapshot);

  Tallies tallies;
  Cache<MemoKey, Remembered> memo;  // decisions, by flow
  Cache<FlowKey, Decision> ways;    // find_way(), by what the snapshot reads
  Tally epoch;                      // of the World for which the caches hold
};
using Desks = std::vector<std::unique_ptr<Desk>>;  // by decider

// All that a decision depends on beside the flow.
struct World {
  std::shared_ptr<const Snapshot> snapshot;
  std::shared_ptr<const Desks> desks;
  Situation situation;
  InterfaceNames interfaces;
  std::uint64_t epoch = 0;  // another number where a decision may be another
};

// ---- one thread's decisions -----------------------------------------------------

// Decides by the newest World, remembers, counts. One thread's own. Between
// enter() and leave() nothing allocates, locks or waits.
class Decider {
 public:
  Decider(Qsbr<World>& worlds, std::size_t number);

  // Takes the newest World, which stays until leave().
  const World& enter() noexcept;
  void leave() noexcept { reader_.leave(); }

  // The decision for the flow, which the first of its packets made: packets of
  // one flow that come before the kernel knows it (UDP bursts, SYN retransmits)
  // get the same. Counts the packet. `now_s` is a clock in seconds that never
  // goes back. REQUIRES: between enter() and leave()
  Decision decide(const Flow& flow, std::uint32_t now_s) noexcept;

 private:
  Decision find_way_by_cache(const Flow& flow, std::uint32_t now_s) noexcept;
  void count_choice(const Decision& decision) noexcept;
  void count_packet(const Decision& decision, const Flow& flow, std::uint32_t now_s) noexcept;
  void count_match(std::uint32_t policy, const Flow& flow, std::uint32_t now_s) noexcept;
  void count_dry_runs(const Decision& decision, const Flow& flow, std::uint32_t now_s) noexcept;

  Qsbr<World>::Reader reader_;
  const std::size_t number_;
  // Between enter() and leave():
  const World* world_ = nullptr;
  Desk* desk_ = nullptr;
};

// ---- what people set ----------------------------------------------------------------

// In place of the weight in the configuration, or in percent of it.
struct WeightOverride {
  std::uint32_t value = 100;
  bool is_percent = true;

  friend bool operator==(const WeightOverride&, const WeightOverride&) = default;
};
inline constexpr std::uint32_t kWeightPercentMax = 10'000;
// "20", "50%"; and back.
Result<WeightOverride> parse_weight_override(std::string_view text);
std::string to_string(const WeightOverride& weight);

// What somebody set while all runs, in place of what the configuration says. Names
// that it does not have mean nothing, until it has them.
struct Overrides {
  struct OfServer {
    std::optional<ServerState> state;
    std::optional<Time> since;  // of the state
    std::optional<WeightOverride> weight;

    friend bool operator==(const OfServer&, const OfServer&) = default;
  };
  std::map<std::string, OfServer> servers;        // by "group/server"
  std::map<std::string, std::string> algorithms;  // by group

  friend bool operator==(const Overrides&, const Overrides&) = default;
};

// ---- what was counted -------------------------------------------------------------

// What the kernel reported of flows.
struct TrafficStatistics {
  std::uint64_t active = 0, total = 0, failed = 0;  // as ServerFigures has them
  std::uint64_t packets = 0, bytes = 0;
  Latencies::Summary latency_us;
  std::optional<Time> last_flow;
};

// What a server's check said.
struct CheckStatistics {
  std::optional<Time> last;   // when it was probed last
  std::optional<Time> since;  // when its health changed last
  std::string reason;         // such as "refused"
};

struct ServerStatistics {
  std::string name, address;
  std::optional<std::uint16_t> port;
  ServerId id = 0;
  std::uint32_t weight = 1;
  std::string state;               // as name() of a ServerState
  std::string health = "unknown";  // "up", "down", by its check
  std::optional<CheckStatistics> check;
  bool ejected = false;        // its flows failed, so it is left out for a while
  std::uint64_t selected = 0;  // flows that it was chosen for
  TrafficStatistics traffic;
};

struct AffinityStatistics {
  std::uint64_t clients = 0;    // now
  std::uint64_t evictions = 0;  // of clients that were still in time
};

struct GroupStatistics {
  std::string name, algorithm;
  std::string failover;               // as name() of a Failover
  bool panic = false;                 // health is ignored
  std::optional<std::uint32_t> tier;  // the first that gets flows, from 1; none: nobody does
  std::uint64_t requests = 0;         // flows for which the group was asked
  std::uint64_t selected = 0;         // flows that got a server
  std::uint64_t failed = 0;   // flows for which it was the first to be asked, without a server
  TrafficStatistics traffic;  // of its servers
  std::optional<AffinityStatistics> affinity;
  std::vector<ServerStatistics> servers;
};

struct PolicyStatistics {
  std::string name;
  std::int32_t priority = 0;
  bool dry_run = false;
  std::uint64_t packets = 0, bytes = 0;
  std::optional<Time> last_match;
};

struct RouteStatistics {
  std::string prefix;
  std::string target;  // the group, or an action such as "drop"
  std::uint32_t metric = 0, weight = 1;
  std::uint64_t packets = 0, bytes = 0;
};

struct TableStatistics {
  std::string name;
  std::int32_t priority = 0;
  std::uint64_t routes = 0;
  std::vector<RouteStatistics> used;  // that counted a packet, by packets, kUsedRoutesMax at most
};
inline constexpr std::size_t kUsedRoutesMax = 100;

struct ScheduleStatistics {
  std::string name;
  bool active = false;
  std::optional<Time> next_change;  // none: never
};

struct Statistics {
  TrafficStatistics traffic;  // of all servers
  std::vector<GroupStatistics> groups;
  std::vector<PolicyStatistics> policies;
  std::vector<TableStatistics> tables;
  std::vector<ScheduleStatistics> schedules;
  std::map<std::string, std::uint64_t> failover;  // what was done, by name() of its reason
  CacheCounts cache;                              // decisions by flow
  CacheCounts route_cache;                        // ways by what the rules read
};

// Sums of Tallies.
struct Totals;
class Fleet;

// The part of a configuration that takes time to compile.
struct Prepared {
  std::unique_ptr<Snapshot> snapshot;  // without groups
  std::vector<GroupConfig> groups;
  std::vector<ScheduleConfig> schedules;
  std::vector<CheckConfig> checks;
};
// Any thread. REQUIRES: validate(config) is empty
Prepared prepare(const Config& config);

// What is another in one configuration than in the one before, in the order of sections,
// a line each: "+ policy.ssh", "- table.main.routes 10.0.0.0/8", "~ group.web.web2.weight
// 10 -> 20". Sets and files stand for what they have.
struct Difference {
  std::vector<std::string> changes;
  std::uint64_t left_out = 0;
};
inline constexpr std::size_t kChangesMax = 1'000;

// ---- all of it ----------------------------------------------------------------------

// The control thread's side. The deciders' threads have ended before it goes.
class Steering {
 public:
  // For `deciders` threads. No policy, no table: every flow is accepted as it is,
  // until apply(). `kept_tickets`, all zero at first, outlives the Steering: with it
  // another one, also of a later process, goes on in the order of balancers.
  explicit Steering(std::size_t deciders, std::span<Ticket> kept_tickets = {});
  ~Steering();

  // Compiles the configuration and puts it in force. What is wrong with it, and
  // then all stays as it was; or nothing. Balancers' cursors, servers' ids and
  // counters go on where the names are the same. set_time() says when the schedules
  // change next.
  std::vector<Problem> apply(const Config& config, const KnownIds& known = {});
  // The same in two steps, of which only this one is the control thread's. From now on the
  // ids in use are those of `known` and of servers that were there until now. `commit` is
  // called with what is to be in force: where it fails, all stays as it was.
  using Commit = std::function<Result<void>(const World& next)>;
  Result<void> apply(Prepared prepared, const KnownIds& known, const Commit& commit);
  // What apply() would change, by names; kChangesMax at most.
  Difference difference(const Prepared& prepared) const;

  // Puts the schedules of that time in force, and the weights of servers that
  // start slowly, where that changes anything. Returns the time by which to call
  // it again: Time::max() for never. To be called after the clock was set, too.
  Time set_time(Time now);
  void set_interfaces(InterfaceNames interfaces);

  using Instant = FailoverBoard::Instant;
  // What a server's check says: it takes flows or not, if its group fails over by
  // that. Absent: it is not known. The server is named as "group/server"; one that is
  // not there is passed over.
  void set_check(std::string_view server, std::optional<bool> is_up, const std::string& reason,
                 Instant now);
  // A check of the server passed at that time: an ejection that is older is over.
  void pass_check(std::string_view server, Instant when, Instant now);
  // Ejects servers whose flows failed, and takes back those whose ejection is over.
  // Returns when to call it again at the latest: Instant::max() for never. To be called
  // as soon as a FlowLedger says that a server is barred, too.
  Instant advance(Instant now);
  // What else there is to tell: it is among take_events().
  void tell(FailoverReason reason, const std::string& subject, std::string text);
  // What people set from now on. A server that is up again also gets its group's flows
  // back, where `fail_back` is off.
  void set_overrides(Overrides overrides, Instant now);
  const Overrides& overrides() const noexcept;
  // What failures led to since the last call, to be logged.
  std::vector<FailoverEvent> take_events();
  // What holds of a server of the snapshot in force.
  ServerState state_of(const Server& server) const;
  std::uint32_t weight_of(const Server& server) const;
  ServerHealth health_of(const Server& server) const;
  // The server of that name, "group/server", in the snapshot in force, or nullptr.
  const Server* find_server(std::string_view name) const;

  // Every decider forgets what it remembers.
  void flush_cache();

  const Snapshot& snapshot() const noexcept { return *worlds_.latest().snapshot; }
  const World& world() const noexcept { return worlds_.latest(); }
  // As they were configured.
  const std::vector<GroupConfig>& groups() const noexcept { return groups_; }
  const std::vector<CheckConfig>& checks() const noexcept { return checks_; }
  // Which ids servers have, and had before, as of the last apply().
  const KnownIds& known_ids() const noexcept { return known_; }
  // What the balancers know of servers, and what is counted of them: for a
  // FlowLedger, in a thread of its own. They live as long as this.
  Gauges& gauges() noexcept { return states_.gauges; }
  ServerRecords& records() noexcept { return records_; }
  // Worlds that were replaced and that a decider may still read.
  std::size_t worlds_left() { return worlds_.reclaim(); }

  // All routes of the table of that name, in the order of Table::routes(), with
  // their counts since the last reset; none where there is no such table.
  std::vector<RouteStatistics> route_statistics(std::string_view table);

  // The sums of all deciders' counts since the last reset. `now_s` is the time
  // by the deciders' clock.
  Statistics statistics(std::uint32_t now_s);
  void reset_statistics();

  // REQUIRES: number < the number of deciders. Any thread.
  Decider& decider(std::size_t number) { return *deciders_[number]; }

 private:
  // What was counted under a snapshot that was replaced.
  struct Retired {
    std::shared_ptr<const Snapshot> snapshot;
    std::shared_ptr<const Desks> desks;
  };

  // `forget`: what deciders remember may be wrong now.
  void publish(World world, bool forget = true);
  void know(const KnownIds& known);
  World world_of(std::shared_ptr<const Snapshot> snapshot) const;
  void refresh_lineups();
  void describe_health(std::size_t group, GroupStatistics& made) const;
  void settle();
  Totals counted(const Retired& retired) const;
  Totals totals();

  ServerFigures figures_of(ServerId id) const;

  GroupStates states_;
  ServerRecords records_;
  std::map<ServerId, ServerFigures> earlier_;  // what is not this server's, or was set aside
  KnownIds known_;
  Qsbr<World> worlds_;
  std::vector<std::unique_ptr<Decider>> deciders_;
  std::vector<Retired> retired_;
  std::unique_ptr<Totals> carried_;   // of earlier snapshots, by the names of this one
  std::unique_ptr<Totals> baseline_;  // what reset_statistics() has set aside
  std::unique_ptr<Fleet> fleet_;
  std::vector<GroupConfig> groups_;  // of the configuration in force
  std::vector<ScheduleConfig> schedules_;
  std::vector<CheckConfig> checks_;
  Time now_ = Time::min();
  Instant instant_;
};

}  // namespace nfsteer
