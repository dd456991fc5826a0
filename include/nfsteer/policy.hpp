// A configuration as a value, its compiled form, and the decision.
//
// Config is what a rules file, or a program, says. compile() checks it and
// makes the immutable Snapshot that all workers share. decide() is the whole
// way from a flow to its answer; the engine, `explain` and the tests call the
// same function.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "nfsteer/balance.hpp"
#include "nfsteer/base/address.hpp"
#include "nfsteer/base/mark.hpp"
#include "nfsteer/base/result.hpp"
#include "nfsteer/flow.hpp"
#include "nfsteer/route.hpp"
#include "nfsteer/rule.hpp"

namespace nfsteer {

// ---- what a person writes ---------------------------------------------------

enum class Action : std::uint8_t {
  Steer,   // to the server of the decision
  Accept,  // passed on as it is
  Drop,
  Reject,  // refused: TCP reset, or ICMP administratively prohibited
};
const char* name(Action action) noexcept;

struct ServerConfig {
  std::string name;
  Address address;
  std::optional<std::uint16_t> port;
  std::uint32_t weight = 1;
};

struct GroupConfig {
  std::string name;
  std::string algorithm = "round-robin";
  bool snat = false;
  std::vector<ServerConfig> servers;
};

struct RouteConfig {
  Prefix prefix;
  std::string group;
  std::uint32_t metric = 0;
};

struct TableConfig {
  std::string name;
  std::int32_t priority = 0;  // higher is looked at first
  std::vector<RouteConfig> routes;
};

// Where a policy sends the flows that match.
struct ToGroup {
  std::string name;
};
struct ToTable {
  std::string name;
};
using Target = std::variant<ToGroup, ToTable, Action>;  // Action: not Steer

struct PolicyConfig {
  std::string name;
  std::int32_t priority = 0;     // higher is looked at first; equal: as given
  std::vector<Criterion> match;  // all must hold; empty: every flow
  Target target = Action::Accept;
};

enum class Hook : std::uint8_t { Prerouting, Output };

struct EngineConfig {
  std::uint16_t queue_first = 0;
  std::uint16_t queue_count = 1;      // one worker each; 1 to kQueuesMax
  std::uint32_t queue_length = 4096;  // packets that may wait in one queue
  std::uint32_t copy_bytes = 256;     // of each packet, from its network header
  std::vector<Hook> hooks = {Hook::Prerouting};
  MarkLayout mark;
  bool bypass = true;                     // false: new flows are dropped while no engine runs
  Action on_bad_packet = Action::Accept;  // Accept or Drop
};
inline constexpr std::uint16_t kQueuesMax = 256;

struct Config {
  EngineConfig engine;
  std::vector<GroupConfig> groups;
  std::vector<TableConfig> tables;
  std::vector<PolicyConfig> policies;
};

// Something in a Config that compile() refuses. `path` leads to the value:
// keys, and indexes as "[2]": {"group", "web", "servers", "[2]", "address"}.
struct Problem {
  std::vector<std::string> path;
  std::string message;
  std::string remedy;  // may be empty
};

// ---- what the workers read --------------------------------------------------

struct Policy {
  std::string name;
  std::int32_t priority = 0;
  std::vector<Criterion> match;
  Action action = Action::Accept;
  std::optional<std::uint32_t> group;  // index; with Action::Steer
  std::optional<std::uint32_t> table;  // index; with Action::Steer
};

// State that outlives snapshots, by the group's name. Changed by the control
// thread only while it compiles; the cursors inside are atomics.
using GroupStates = std::map<std::string, std::unique_ptr<GroupState>>;

// A compiled configuration. Never changed after compile(); shared by all
// workers. Policies and tables are sorted by descending priority.
struct Snapshot {
  EngineConfig engine;
  std::vector<Group> groups;
  std::vector<Table> tables;
  std::vector<Policy> policies;

  // All servers by id; null where no server has the id, as 0. Points into groups.
  std::vector<const Server*> servers;
  // The group of each server, by id: index in groups.
  std::vector<std::uint32_t> server_groups;
};

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

// All that is wrong with the configuration; empty when compile() would take it.
std::vector<Problem> validate(const Config& config);

// Makes the snapshot. Servers that are known keep their ids; the others get the
// lowest free ones, in the order of the configuration. An id in use is given
// only when there is no other. REQUIRES: validate(config) is empty. Control thread.
std::unique_ptr<const Snapshot> compile(const Config& config, GroupStates& states,
                                        const KnownIds& known = {});

// What was decided for a flow, and by what. The verdict, the counters, the
// listings and the tests all read this value.
struct Decision {
  Action action = Action::Accept;
  std::optional<std::uint32_t> policy;  // index in Snapshot::policies
  std::optional<std::uint32_t> table;   // index in Snapshot::tables
  std::optional<std::uint32_t> route;   // index in the table's routes
  std::optional<std::uint32_t> group;   // index in Snapshot::groups
  ServerId server = 0;                  // with Action::Steer
  // The first group that was asked and had no server of the flow's family.
  std::optional<std::uint32_t> failed_group;

  friend bool operator==(const Decision&, const Decision&) = default;
};

// Decides a flow: the first policy that matches, then tables, then the group's
// balancer. A route or policy whose group has no server of the flow's family
// is passed over. Where nothing is left, the flow is accepted as it is. Moves
// the chosen balancer's cursor; does not allocate, lock or throw. Any thread.
Decision decide(const Snapshot& snapshot, const Flow& flow) noexcept;

// Our bits of the mark that carry the decision to the kernel; Drop has none.
std::uint32_t mark_bits(const MarkLayout& layout, const Decision& decision) noexcept;

// ---- the memo -----------------------------------------------------------------

// What a worker decided lately, by five-tuple: packets of one flow that reach
// the queue before its conntrack entry is confirmed (UDP bursts, SYN
// retransmits) must not get two servers. Fixed size, set-associative, no
// allocation after construction. One worker's own: not for two threads.
class Memo {
 public:
  struct Counters {
    std::uint64_t entries = 0, hits = 0, misses = 0, evictions = 0;
  };

  // Room for `entries` decisions, rounded up to a power of two.
  explicit Memo(std::size_t entries = 32'768, std::uint32_t timeout_s = 300);

  // The decision for the tuple, unless it is older than the time-out or than
  // the last forget_all(). `now_s` counts seconds and never goes back. A hit
  // does not prolong an entry's life. Counts a hit or a miss.
  const Decision* find(const FiveTuple& tuple, std::uint64_t hash, std::uint32_t now_s) noexcept;
  // Keeps the decision; an expired entry of its set makes room, or the next in turn.
  void insert(const FiveTuple& tuple, std::uint64_t hash, const Decision& decision,
              std::uint32_t now_s) noexcept;
  // Every entry is forgotten, at once and in constant time.
  void forget_all() noexcept;

  const Counters& counters() const noexcept { return counters_; }

 private:
  static constexpr std::size_t kWays = 8;
  struct Entry {
    FiveTuple tuple;
    Decision decision;
    std::uint32_t epoch = 0;
    std::uint32_t inserted_s = 0;
  };
  struct Set {
    std::array<std::uint16_t, kWays> tags{};  // of the hash; 0: never used
    std::array<Entry, kWays> entries;
    std::uint8_t next_victim = 0;
  };

  bool alive(const Entry& entry, std::uint32_t now_s) const noexcept;

  std::vector<Set> sets_;
  std::uint32_t timeout_s_;
  std::uint32_t epoch_ = 1;
  Counters counters_;
};

}  // namespace nfsteer
