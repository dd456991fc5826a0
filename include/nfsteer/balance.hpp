// Server groups: who of a group may take flows, and the balancers that choose
// among them: one file each in src/balance and one row in balancers.def.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nfsteer/base/address.hpp"
#include "nfsteer/base/huge_pages.hpp"
#include "nfsteer/base/mark.hpp"
#include "nfsteer/base/result.hpp"
#include "nfsteer/base/tally.hpp"
#include "nfsteer/failover.hpp"
#include "nfsteer/flow.hpp"

namespace nfsteer {

// ---- servers ------------------------------------------------------------------

// What the person who runs the servers wants of one.
enum class ServerState : std::uint8_t {
  Up,          // takes flows
  Drain,       // keeps those that it has
  Maintenance  // takes none; what it has may be ended
};
// "up", "drain", "maintenance"; and back.
const char* name(ServerState state) noexcept;
Result<ServerState> parse_server_state(std::string_view text);

// One server of a group, as the compiled snapshot holds it.
struct Server {
  std::string name;  // unique in its group
  Address address;
  std::optional<std::uint16_t> port;  // absent: the flow's own port is kept
  std::uint32_t weight = 1;           // kWeightMin to kWeightMax
  ServerId id = 0;
  std::uint64_t identity = 0;         // hash of group, name, address, port: equal everywhere
  std::uint32_t max_connections = 0;  // at once; 0: any number
  std::int32_t priority = 0;          // others only when those above cannot take the flow
  bool backup = false;                // below every priority
  ServerState state = ServerState::Up;
};
// Whether flows go to the first while it can take them, and to the second when not.
bool comes_before(const Server& first, const Server& second) noexcept;
inline constexpr std::uint32_t kWeightMin = 1, kWeightMax = 10'000;
inline constexpr std::int32_t kServerPriorityMax = 1'000;  // from 0
inline constexpr std::uint32_t kMaxConnectionsMax = 100'000'000;

// ---- what balancers know of servers ---------------------------------------------

// One server's, by its id. Workers add what they assign, the thread that hears of
// flows' ends settles it; the difference is what the server has to do now, flows
// that the kernel has not reported yet included. Numbers wrap.
struct alignas(16) Gauge {
  std::atomic<std::uint32_t> assigned{0};
  std::atomic<std::uint32_t> settled{0};
  std::atomic<std::uint32_t> latency_us{0};  // of handshakes, smoothed; 0: not known
  std::atomic<std::uint32_t> sampled_s{0};   // when, by the clock of Pick::now_s

  // Flows now. What ended twice, or was never assigned, is not less than none.
  std::uint32_t load() const noexcept {
    const std::uint32_t now =
        assigned.load(std::memory_order_relaxed) - settled.load(std::memory_order_relaxed);
    return static_cast<std::int32_t>(now) < 0 ? 0 : now;
  }
};

// The place in the order of a balancer that goes round: tickets 0, 1, 2 ... over all
// workers. A plain value in memory that may be shared with other processes.
struct alignas(64) Ticket {
  std::atomic<std::uint64_t> next{0};
  std::atomic<std::uint64_t> owner{0};  // whose it is, where it is one of many; 0: nobody's
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// What all servers of a group and family share. Outlives snapshots, so that the
// order goes on over a reload. Shared by all workers.
struct PoolState {
  Ticket own;
  Ticket* ticket = &own;

  // Goes on with the ticket of that owner among `kept`, zeros at first, while there
  // is room. One thread, before the first choice.
  void keep_ticket(std::span<Ticket> kept, std::uint64_t owner) noexcept;
};

// The gauges of all servers. Outlives snapshots; any thread.
class Gauges {
 public:
  Gauge& operator[](ServerId id) noexcept { return all_[id]; }
  const Gauge& operator[](ServerId id) const noexcept { return all_[id]; }

  // The server has a flow more; so many less (or, negative, more that nobody assigned).
  void assign(ServerId id) noexcept { all_[id].assigned.fetch_add(1, std::memory_order_relaxed); }
  void settle(ServerId id, std::int32_t flows = 1) noexcept {
    all_[id].settled.fetch_add(static_cast<std::uint32_t>(flows), std::memory_order_relaxed);
  }
  // From now on the id is another server's.
  void renew(ServerId id) noexcept;

  // A barred server is passed by as long as another can take the flow. It is barred
  // while it is closed, and from the moment that its flows have failed until somebody
  // has judged and forgives. `patience` is how many failures in a row it takes; 0: it
  // never comes to that.
  void set_patience(ServerId id, std::uint32_t patience) noexcept {
    trust_[id].patience.store(patience, std::memory_order_relaxed);
  }
  std::uint32_t patience(ServerId id) const noexcept {
    return trust_[id].patience.load(std::memory_order_relaxed);
  }
  // So many flows in a row have failed. True: it is barred by that.
  bool fail(ServerId id, std::uint32_t failures) noexcept;
  void forgive(ServerId id) noexcept { set_bar(id, kFailed, false); }
  void close(ServerId id, bool is_closed) noexcept { set_bar(id, kClosed, is_closed); }
  bool has_failed(ServerId id) const noexcept { return (bars(id) & kFailed) != 0; }
  bool is_barred(ServerId id) const noexcept { return bars(id) != 0; }

 private:
  static constexpr std::size_t kIds = std::size_t{1} << 16;
  static constexpr std::uint32_t kFailed = 1, kClosed = 2;
  struct Trust {
    std::atomic<std::uint32_t> patience{0};
    std::atomic<std::uint32_t> bars{0};
  };

  std::uint32_t bars(ServerId id) const noexcept {
    return trust_[id].bars.load(std::memory_order_relaxed);
  }
  void set_bar(ServerId id, std::uint32_t bar, bool is_set) noexcept;

  std::unique_ptr<Gauge[]> all_ = std::make_unique<Gauge[]>(kIds);
  std::unique_ptr<Trust[]> trust_ = std::make_unique<Trust[]>(kIds);
};

// ---- balancers ------------------------------------------------------------------

// Whether a choice counts.
enum class Turn : std::uint8_t {
  Take,  // it is made
  Peek,  // it is only told what Take would choose
};

// What a server is asked for.
struct Pick {
  std::uint64_t hash = 0;   // of what the group hashes of the flow
  std::uint32_t now_s = 0;  // a clock in seconds that never goes back
  Turn turn = Turn::Take;
};

// A server as a balancer sees it.
struct Member {
  ServerId id = 0;
  std::uint64_t identity = 0;
  std::uint32_t weight = 1;
  // What of its weight it takes now: 1, less while it starts slowly, 0 while it
  // takes nothing. Never picked with 0.
  double portion = 1;

  double share() const noexcept { return weight * portion; }
};

// What a balancer is made of. `state` and `gauges` outlive it.
struct Roster {
  std::vector<Member> members;  // one at least has a portion
  PoolState& state;
  const Gauges& gauges;
  std::uint64_t seed = 0;      // of hashing
  std::uint32_t factor = 125;  // bounded-hash: the most that a server has, percent of the mean
};

// Chooses a server for each new flow. One instance serves every worker at once.
class Balancer {
 public:
  virtual ~Balancer() = default;

  // Returns the index in Roster::members of the one to use. Does not allocate,
  // lock, log or throw.
  virtual std::size_t pick(const Pick& pick) const noexcept = 0;
};

// A kind of balancer.
struct Algorithm {
  const char* name;     // in rules files, such as "weighted"
  const char* summary;  // one line, for people
  // What it hashes of a flow, if the group does not say: nothing, or these.
  enum class Hashes : std::uint8_t { Nothing, Source, Tuple } hashes;
  std::unique_ptr<const Balancer> (*make)(const Roster& roster);
};

// All algorithms, in the order of balancers.def.
std::span<const Algorithm> algorithms() noexcept;
// The algorithm of that name, or nullptr.
const Algorithm* find_algorithm(std::string_view name) noexcept;

// ---- affinity -------------------------------------------------------------------

struct AffinityConfig {
  std::uint8_t v4_bits = 32, v6_bits = 64;  // what of the source is a client
  std::uint32_t timeout_s = 30 * 60;        // after its last new flow
  std::uint32_t max = 200'000;              // clients, of each family

  friend bool operator==(const AffinityConfig&, const AffinityConfig&) = default;
};
inline constexpr std::uint32_t kAffinityMin = 8, kAffinityMax = 16u << 20;

// Which server a client goes to: a table of fixed size, shared by all workers,
// eight-way set-associative. Of a full set the client that was quiet for longest
// gives way. Reading and writing neither lock nor wait: an entry that another
// worker writes at that moment is as good as absent. Any thread.
class Affinity {
 public:
  explicit Affinity(const AffinityConfig& config);

  const AffinityConfig& config() const noexcept { return config_; }

  std::optional<ServerId> find(const Address& source, std::uint32_t now_s) const noexcept;
  // The client goes to that server, from now until the time-out.
  void keep(const Address& source, ServerId server, std::uint32_t now_s) noexcept;

  struct Entry {
    Prefix client;
    ServerId server = 0;
    std::uint32_t age_s = 0;  // since its last new flow
  };
  // The clients within `among` that are not out of time.
  std::vector<Entry> list(const Prefix& among, std::uint32_t now_s) const;
  // How many clients are not out of time.
  std::size_t clients(std::uint32_t now_s) const noexcept;
  // Forgets the clients within `among`; returns how many there were.
  std::size_t forget(const Prefix& among) noexcept;
  std::uint64_t evictions() const noexcept { return evictions_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kWays = 8;
  struct Slot {
    // 0: free; kBusy: being written; else server << 32 | second + 1.
    std::atomic<std::uint64_t> word{0};
    std::atomic<std::uint64_t> high{0}, low{0};  // the client; the family is the table's
  };
  struct Read {
    std::uint64_t word = 0;
    std::uint64_t high = 0, low = 0;
  };

  Address client_of(const Address& source) const noexcept;
  Prefix whole_clients(const Prefix& among) const noexcept;
  Slot* set_of(const Address& client) noexcept;
  const Slot* set_of(const Address& client) const noexcept;
  static std::optional<Read> read(const Slot& slot) noexcept;

  AffinityConfig config_;
  std::size_t sets_ = 0;                      // of each family
  std::vector<Slot, HugePages<Slot>> slots_;  // those of IPv4, then those of IPv6
  std::atomic<std::uint64_t> evictions_{0};
};

// ---- groups ---------------------------------------------------------------------

// How long a server that is drained keeps its flows.
struct DrainConfig {
  std::uint32_t timeout_s = 15 * 60;  // after the drain began
  bool cut = false;                   // flows that are left then end; else they go on

  friend bool operator==(const DrainConfig&, const DrainConfig&) = default;
};

// What of a group outlives snapshots; kept by the group's name.
struct GroupState {
  PoolState v4, v6;
  std::shared_ptr<Affinity> affinity;  // null: none
};

// Servers of one family. Constant after construction, but for its state.
struct Pool {
  std::vector<Server> servers;
  PoolState* state = nullptr;
};

// A named group of servers. A flow goes to a server of its own family.
struct Group {
  std::string name;
  std::string algorithm;
  bool snat = false;  // the servers see the router's address as the client's
  Pool v4, v6;
  std::optional<TupleParts> hash;  // what Pick::hash is made of; absent: the algorithm says
  std::uint32_t factor = 125;
  std::uint32_t slow_start_s = 0;
  std::shared_ptr<Affinity> affinity;  // null: none
  FailoverConfig failover;
  DrainConfig drain;

  const Pool& pool(Family family) const noexcept { return family == Family::V4 ? v4 : v6; }
};

// How a server stands at a time.
struct Standing {
  std::uint32_t weight = 1;
  double portion = 1;     // what of its weight it takes: 0 while it takes nothing
  std::string away = {};  // then why, for people: "down: refused"
};

// What is to be made of the servers of one family.
struct LineupPlan {
  std::function<Standing(const Server&)> standing;
  // The part of all flows that a tier gets, by its number. Empty: the first that can
  // take a flow gets it.
  std::vector<double> shares = {};
  bool panic = false;  // health is ignored
};

// The servers of a pool by tiers: those of one come before those of the next.
std::vector<std::vector<const Server*>> tiers_of(const Pool& pool);

// Who of a group takes flows at a time, and the balancers made of them. Constant;
// another one takes its place when anything changes.
struct Lineup {
  // Servers that come before others.
  struct Tier {
    std::vector<Member> members;
    std::vector<std::uint32_t> limits;  // by member: max_connections; empty: none has any
    std::unique_ptr<const Balancer> balancer;
    double share = 0;        // of all flows
    std::size_t number = 0;  // in tiers_of(): tiers where nobody takes flows are left out
  };

  // Those of one family.
  class Side {
   public:
    Side() = default;
    Side(const Group& group, const Pool& pool, const Algorithm& algorithm, const Gauges& gauges,
         std::uint64_t seed, const LineupPlan& plan);

    // Whether choose() would find anybody.
    bool is_usable() const noexcept;
    // Whether that server may take a flow now, and its tier is one that gets flows.
    bool takes(ServerId server) const noexcept;
    // The server for a flow: of the tier that the shares give it, by the tier's balancer.
    // Where that one has all the connections that it may have, or is barred, the next
    // by rendezvous hashing, or one of another tier. Only where all that are left are
    // barred, one of them. nullopt: none. Does not count the flow.
    std::optional<ServerId> choose(const Pick& pick) const noexcept;
    // The same as if there were no limits: for flows that a limit reached just now.
    // REQUIRES: it has tiers
    ServerId choose_beyond(const Pick& pick) const noexcept;

    std::span<const Tier> tiers() const noexcept { return tiers_; }
    // Who takes nothing, and why.
    struct Absence {
      ServerId server = 0;
      std::string why;
    };
    std::span<const Absence> absences() const noexcept { return absences_; }
    bool is_in_panic() const noexcept { return panic_; }
    // The member, where one of its tier takes flows, or nullptr.
    const Member* find(ServerId server) const noexcept;

   private:
    bool is_open(const Tier& tier, std::size_t member) const noexcept;
    bool is_open(const Tier& tier) const noexcept;
    bool is_free(const Tier& tier, std::size_t member) const noexcept;
    const Tier* first_open() const noexcept;
    const Tier* open_tier(std::uint64_t hash) const noexcept;
    std::optional<ServerId> choose_free(const Tier& preferred, std::uint64_t hash) const noexcept;

    struct Place {
      ServerId server = 0;
      std::uint16_t tier = 0, member = 0;
    };
    const Place* place_of(ServerId server) const noexcept;

    std::vector<Tier> tiers_;    // those with shares first; each has a member with a portion
    std::vector<Place> places_;  // of all members, by server
    std::vector<Absence> absences_;
    bool panic_ = false;
    const Gauges* gauges_ = nullptr;
  };

  const Algorithm* algorithm = nullptr;
  Side v4, v6;
  TupleKey hashed;  // the bits of a flow's TupleKey that Pick::hash is made of
  const Side& side(Family family) const noexcept { return family == Family::V4 ? v4 : v6; }
};

}  // namespace nfsteer
