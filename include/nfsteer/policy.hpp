// A configuration as a value, its compiled form, and the decision.
//
// Config is what a rules file, or a program, says. compile() checks it and
// makes the immutable Snapshot that all workers share. decide() is the whole
// way from a flow to its answer; the engine, `explain` and the tests call the
// same function.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "nfsteer/balance.hpp"
#include "nfsteer/base/address.hpp"
#include "nfsteer/base/index.hpp"
#include "nfsteer/base/mark.hpp"
#include "nfsteer/base/result.hpp"
#include "nfsteer/flow.hpp"
#include "nfsteer/geo.hpp"
#include "nfsteer/health.hpp"
#include "nfsteer/route.hpp"
#include "nfsteer/rule.hpp"
#include "nfsteer/schedule.hpp"

namespace nfsteer {

// ---- what a person writes ---------------------------------------------------

// Where a policy or a route sends flows: to a group, to a routing table, or
// nowhere, with an Action that is not Steer.
struct ToGroup {
  std::string name;
  friend bool operator==(const ToGroup&, const ToGroup&) = default;
};
struct ToTable {
  std::string name;
  friend bool operator==(const ToTable&, const ToTable&) = default;
};
using PolicyTarget = std::variant<Action, ToGroup, ToTable>;
using RouteTarget = std::variant<Action, ToGroup>;

struct ServerConfig {
  std::string name;
  Address address;
  std::optional<std::uint16_t> port;
  std::uint32_t weight = 1;
  std::uint32_t max_connections = 0;  // at once; 0: any number
  std::int32_t priority = 0;          // higher is used first; lower ones when those cannot
  bool backup = false;                // below every priority
  ServerState state = ServerState::Up;
};

struct GroupConfig {
  std::string name;
  std::string algorithm = "round-robin";
  bool snat = false;
  std::vector<ServerConfig> servers;
  std::optional<TupleParts> hash = {};  // what a hashing algorithm hashes; absent: its own choice
  std::uint32_t hash_factor = 125;      // bounded-hash: percent of the mean load
  std::uint32_t slow_start_s = 0;       // in which a server that came back reaches its weight
  std::optional<AffinityConfig> affinity = {};  // absent: none
  std::optional<std::string> check = {};        // whether its servers are well; absent: unknown
  FailoverConfig failover = {};
  DrainConfig drain = {};
};
inline constexpr std::uint32_t kHashFactorMin = 101, kHashFactorMax = 10'000;

struct RouteConfig {
  Prefix prefix;
  RouteTarget target = Action::Accept;
  std::uint32_t metric = 0;  // lower is taken first
  std::uint32_t weight = 1;  // among routes of one prefix and metric: kWeightMin to kWeightMax

  friend bool operator==(const RouteConfig&, const RouteConfig&) = default;
};

struct TableConfig {
  std::string name;
  std::int32_t priority = 0;                 // higher is looked at first
  std::optional<std::string> default_group;  // for what no route takes
  std::vector<RouteConfig> routes;
};

struct PolicyConfig {
  std::string name;
  std::int32_t priority = 0;  // higher is looked at first; equal: as given
  bool enabled = true;
  bool dry_run = false;      // counts the flows that match, and lets them go on
  std::vector<Match> match;  // one must hold; empty: every flow
  PolicyTarget target = Action::Accept;
};

// Prefixes that criteria name as "@NAME".
struct SetConfig {
  std::string name;
  std::vector<Prefix> prefixes;
};

enum class Hook : std::uint8_t { Prerouting, Output };

// What of the nftables table is the engine's to make: all of it; or what depends on
// the rules, in a table that somebody else has loaded.
enum class Manage : std::uint8_t { Table, Elements };

struct EngineConfig {
  std::uint16_t queue_first = 0;
  std::uint16_t queue_count = 1;      // one worker each; 1 to kQueuesMax
  std::uint32_t queue_length = 4096;  // packets that may wait in one queue
  std::uint32_t copy_bytes = 256;     // of each packet, from its network header
  std::vector<Hook> hooks = {Hook::Prerouting};
  Manage manage = Manage::Table;
  MarkLayout mark;
  bool bypass = true;                        // false: new flows are dropped while no engine runs
  Action on_bad_packet = Action::Accept;     // Accept or Drop
  RouteTarget on_no_route = Action::Accept;  // for flows that nothing else takes
  std::uint64_t hash_seed = 0;      // of all hashing: nodes that have the same choose alike
  std::optional<Endpoint> metrics;  // where they can be fetched; absent: nowhere
};
inline constexpr std::uint16_t kQueuesMax = 256;

// What each worker remembers. A cache of 0 entries is off.
struct CacheConfig {
  std::uint32_t entries = 32'768;              // decisions, by five-tuple
  std::optional<std::uint32_t> route_entries;  // ways, by what the rules tell apart; absent: the
                                               // engine turns the route cache on where it pays
  std::uint32_t timeout_s = 300;
};
inline constexpr std::uint32_t kCacheEntriesMax = 16u << 20;

struct Config {
  EngineConfig engine;
  CacheConfig cache;
  std::vector<CheckConfig> checks;
  std::vector<GroupConfig> groups;
  std::vector<SetConfig> sets;
  std::vector<ScheduleConfig> schedules;
  std::shared_ptr<const Countries> countries;  // null: no address has a country
  CountryGroups country_groups;
  std::vector<TableConfig> tables;
  std::vector<PolicyConfig> policies;
};

// What the engine is built and measured for; more is refused.
inline constexpr std::size_t kRulesMax = 250'000;  // tables of `match`, of all policies
inline constexpr std::size_t kRoutesMax = 8'000'000;
inline constexpr std::size_t kValuesMax = 4'000'000;  // of all criteria, each use of a set counted
inline constexpr std::size_t kCountryGroupsMax = 1'000;

// The element of that name in a list of a Config, or nullptr.
template <typename T>
T* find_named(std::vector<T>& list, std::string_view name) {
  const auto found =
      std::find_if(list.begin(), list.end(), [name](const T& each) { return each.name == name; });
  return found == list.end() ? nullptr : &*found;
}
// Takes the elements of that name out of a list of a Config; false where there is none.
template <typename T>
bool erase_named(std::vector<T>& list, std::string_view name) {
  return std::erase_if(list, [name](const T& each) { return each.name == name; }) > 0;
}

// Something in a Config that compile() refuses. `path` leads to the value:
// keys, and indexes as "[2]": {"group", "web", "servers", "[2]", "address"}.
struct Problem {
  std::vector<std::string> path;
  std::string message;
  std::string remedy;  // may be empty
};

// ---- what the workers read --------------------------------------------------

// Where a policy sends flows.
struct Aim {
  Action action = Action::Accept;
  OptionalIndex group;  // in Snapshot::groups; with Action::Steer
  OptionalIndex table;  // in Snapshot::tables; with Action::Steer
};

struct Policy {
  Aim aim;
  bool dry_run = false;
  std::int32_t priority = 0;
  std::string name;
  std::vector<Match> match;  // all names looked up; empty: every flow
};

// What decide() reads of the policy that a rule is of: a cache line has two.
struct Rule {
  std::uint32_t policy = 0;     // index in Snapshot::policies
  std::uint32_t rules_end = 0;  // of the policy
  Aim aim;
  bool dry_run = false;
};

// What outlives snapshots. Changed by the control thread only while it compiles;
// what is inside changes at any time.
struct GroupStates {
  std::map<std::string, std::unique_ptr<GroupState>> groups;  // by name
  Gauges gauges;
  std::map<ServerId, std::uint64_t> identities;  // of the servers that the gauges are of
  std::span<Ticket> kept_tickets;  // for pools; those for which there is none have their own
};

// A compiled configuration. Never changed after compile(); shared by all
// workers. Policies, without those that are not enabled, and tables are sorted
// by descending priority.
struct Snapshot {
  EngineConfig engine;
  CacheConfig cache;
  std::vector<Group> groups;
  std::vector<Table> tables;
  std::vector<Policy> policies;
  std::vector<Schedule> schedules;
  std::shared_ptr<const Countries> countries;
  std::set<std::uint32_t> probe_users;  // whose programs ask how servers are

  // A rule is one table of a policy's `match`. Rules stand in the order of their policies.
  Classifier classifier;
  std::vector<Rule> rules;
  // What of a flow decisions can depend on.
  FlowFields reads;

  Aim no_route;  // for flows that nothing takes; has no table

  // All servers by id; null where no server has the id, as 0. Points into groups.
  std::vector<const Server*> servers;
  // The group of each server, by id: index in groups.
  std::vector<std::uint32_t> server_groups;
  Gauges* gauges = nullptr;  // of the GroupStates that it was compiled with
};

// The schedules of a snapshot at a time.
Activity activity_at(const Snapshot& snapshot, Time time);
// The first time after `time` at which activity_at() gives another value;
// Time::max() where it never will.
Time next_activity(const Snapshot& snapshot, Time time);

// What changes beside a snapshot: which schedules are active, and which servers
// take flows.
struct Situation {
  Activity activity;
  std::vector<std::shared_ptr<const Lineup>> lineups;  // by group
};
// The lineup of one group of the snapshot, of its servers of each family as planned.
std::shared_ptr<const Lineup> make_lineup(const Snapshot& snapshot, const Group& group,
                                          const Algorithm& algorithm, const LineupPlan& v4,
                                          const LineupPlan& v6);
// At a time, with every server that is up at its full weight.
Situation situation_at(const Snapshot& snapshot, Time time);

// What a server id stands for, as long as any flow may carry it.
struct ServerIdentity {
  std::string name;  // "group/server"
  Address address;
  std::optional<std::uint16_t> port;

  friend auto operator<=>(const ServerIdentity&, const ServerIdentity&) = default;
};

// The ids that earlier configurations gave.
struct KnownIds {
  std::map<ServerIdentity, ServerId> servers;  // they keep their ids
  std::set<ServerId> in_use;                   // carried by flows: no new server gets one
};

// Whether each server of the groups is known: compile() gives no new id.
bool knows_all(const KnownIds& known, const std::vector<GroupConfig>& groups);

// All that is wrong with the configuration, kProblemsMax at most; empty when
// compile() would take it.
std::vector<Problem> validate(const Config& config);
inline constexpr std::size_t kProblemsMax = 10'000;  // more than anybody reads

// Makes the snapshot. Servers that are known keep their ids; the others get the
// lowest free ones, in the order of the configuration. An id in use is given
// only when there is no other. REQUIRES: validate(config) is empty. Control thread.
std::unique_ptr<const Snapshot> compile(const Config& config, GroupStates& states,
                                        const KnownIds& known = {});

// The two halves of compile(): the first takes time and reads the configuration alone,
// the second is quick. Any thread; the control thread.
std::unique_ptr<Snapshot> compile_rules(const Config& config);
void compile_groups(Snapshot& snapshot, const std::vector<GroupConfig>& groups, GroupStates& states,
                    const KnownIds& known);

// ---- the decision -------------------------------------------------------------

// What was decided for a flow, and by what. The verdict, the counters, the
// listings and the tests all read this value.
struct Decision {
  Action action = Action::Accept;
  bool dry_run = false;  // a policy that only counts matched before
  ServerId server = 0;   // with Action::Steer
  OptionalIndex policy;  // in Snapshot::policies
  OptionalIndex table;   // in Snapshot::tables
  OptionalIndex route;   // in the table's routes; none: its default group
  OptionalIndex group;   // in Snapshot::groups
  // The first group that was asked and had no server for the flow.
  OptionalIndex failed_group;

  friend bool operator==(const Decision&, const Decision&) = default;
};

// Decides a flow: the first policy that matches, then tables, then the group's
// balancer. A route or policy whose group has no server that may take the flow is
// passed over; where nothing is left, `on_no_route` decides. Take counts the flow
// as the server's and moves the balancer's place, Peek tells what Take would do.
// `situation` is one of this snapshot. `now_s` is a clock in seconds that never
// goes back, for affinity. Does not allocate, lock or throw. Any thread.
Decision decide(const Snapshot& snapshot, const Situation& situation, const Flow& flow,
                Turn turn = Turn::Take, std::uint32_t now_s = 0) noexcept;

// The two halves of decide(). The first is the same for all flows that are the
// same in what the snapshot reads: its `route` stands for all routes of one
// prefix and metric, and no server is chosen. The second chooses.
Decision find_way(const Snapshot& snapshot, const Situation& situation, const Flow& flow) noexcept;
Decision go(const Snapshot& snapshot, const Situation& situation, const Decision& way,
            const Flow& flow, Turn turn = Turn::Take, std::uint32_t now_s = 0) noexcept;
// Whether a way that was found for such a flow before leads to anybody still:
// servers may have got all the connections that they may have.
bool still_leads(const Snapshot& snapshot, const Situation& situation, const Decision& way,
                 const Flow& flow) noexcept;

// The flow as criteria see it. The flow and the activity outlive the subject.
Subject subject_of(const Snapshot& snapshot, const Activity& activity, const Flow& flow) noexcept;

// Our bits of the mark that carry the decision to the kernel; Drop has none.
std::uint32_t mark_bits(const MarkLayout& layout, const Decision& decision) noexcept;

}  // namespace nfsteer
