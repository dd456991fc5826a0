// What follows from failures: which servers of a group take flows, and which part
// of them each tier gets. All that keeps a group alive when signs are wrong stands
// here: ejections are bounded in time and number, the last usable server is never
// ejected, and below a bound all are used again. Needs no clock: the time is an
// argument.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "nfsteer/base/address.hpp"

namespace nfsteer {

// ---- what a person writes -------------------------------------------------------

// By what a server counts as failed.
enum class Failover : std::uint8_t {
  None,       // by nothing: checks are shown only
  Immediate,  // its check, or a flow of it that failed
  Delayed,    // its check, or so many flows of it in a row that failed
  Probe       // its check alone
};
inline constexpr std::size_t kFailovers = 4;
// "none", "immediate", "delayed", "probe".
const char* name(Failover failover) noexcept;

struct FailoverConfig {
  Failover failover = Failover::None;
  std::uint32_t failures = 3;        // in a row, with Delayed
  bool lazy = false;                 // checked only while flows fail, with Probe
  std::uint32_t min_up = 1;          // a tier with fewer usable servers leaves flows to the next
  bool fail_back = true;             // flows go back to a tier that was given up
  std::uint32_t panic_percent = 50;  // of a tier's weight: below, health is ignored; 0: never
  bool cut = false;                  // a server that goes down loses its flows, too

  friend bool operator==(const FailoverConfig&, const FailoverConfig&) = default;
};
inline constexpr std::uint32_t kFailuresMax = 100;

// How many failed flows in a row are a sign; 0: any number is none.
std::uint32_t patience(const FailoverConfig& config) noexcept;

// ---- one server's ejections -------------------------------------------------------

// A server that failed is left out for a while, each time for longer (after Envoy's
// outlier detection). What it did is forgotten when it held out for kEjectionMost.
class Ejection {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  void begin(Instant now) noexcept;
  // Before its time, as a check says that the server is well.
  void end(Instant now) noexcept;

  bool is_on(Instant now) const noexcept { return now < until_; }
  Instant begun() const noexcept { return begun_; }
  Instant until() const noexcept { return until_; }
  std::uint32_t times() const noexcept { return times_; }

  static constexpr std::chrono::seconds kEjectionStep{30};  // each time one more
  static constexpr std::chrono::seconds kEjectionMost{300};

 private:
  Instant begun_{}, until_{};
  std::uint32_t times_ = 0;
};

// ---- tiers ------------------------------------------------------------------------

// A server of a pool as its tiers are planned.
struct TierMember {
  std::size_t tier = 0;  // from 0, the first to take flows
  double weight = 1;
  bool wanted = true;   // nobody has taken it out
  bool healthy = true;  // as far as is known
};

struct TierPlan {
  std::vector<bool> takes;     // by member
  std::vector<double> shares;  // by tier: of all flows; all 0 where no member may take any
  std::vector<bool> panic;     // by tier: health is ignored

  // The first tier that gets flows.
  std::optional<std::size_t> first() const noexcept;
  bool has_panic() const noexcept;

  friend bool operator==(const TierPlan&, const TierPlan&) = default;
};

// A tier gets kSpill times the part of its weight that is usable, of what the tiers
// before it have left: so one with a few servers down keeps all flows, one with many
// down shares them with the next (Envoy's priority levels). Where all tiers together
// are too weak, those that are below `panic_percent`, but have somebody left, take
// flows with all servers that are wanted. Tiers before `floor` get none, as long as
// others can.
inline constexpr double kSpill = 1.4;
TierPlan plan_tiers(std::span<const TierMember> members, const FailoverConfig& config,
                    std::size_t floor = 0);

// ---- all groups ---------------------------------------------------------------------

// Why something was done to a server or a group, or was not.
enum class FailoverReason : std::uint8_t {
  CheckFailed,    // a server went down
  CheckPassed,    // and came back
  Ejected,        // its flows failed
  Returned,       // its ejection is over
  LastUsable,     // not ejected: no other of its group is usable
  EjectionLimit,  // not ejected: too many are already
  Panic,          // a group ignores health
  PanicOver,
  Tier,             // flows go to other tiers than before
  ProberSuspected,  // so many checks fail at once that none is believed
  ProberTrusted,    // they are believed again
  ChecksSkipped,    // this machine cannot ask
};
inline constexpr std::size_t kFailoverReasons = 12;
// "check-failed" and so on: the words of status, log and metrics.
const char* name(FailoverReason reason) noexcept;

struct FailoverEvent {
  FailoverReason reason = FailoverReason::CheckFailed;
  std::string subject;  // "web/web1", or the group
  std::string text;     // the rest of the sentence: "is down: refused"
};

// What is known of a server.
struct ServerHealth {
  std::optional<bool> is_up;  // by its check; absent: it has none, or no answer yet
  std::string reason;         // of the check's last change
  bool is_ejected = false;
  std::uint32_t ejections = 0;  // times in a row
  Ejection::Instant ejected_until{};

  bool is_healthy() const noexcept { return is_up.value_or(true) && !is_ejected; }
};

// Keeps what is known of all servers and plans their pools. What is known of a server
// stays with its identity, whatever becomes of its place in a list. One thread's own.
class FailoverBoard {
 public:
  using Instant = Ejection::Instant;

  struct Server {
    std::uint64_t identity = 0;
    std::string name;  // "web/web1"
    std::size_t tier = 0;
    double weight = 1;
    bool wanted = true;
  };
  // The servers of a group and family.
  struct Pool {
    std::string group;
    Family family = Family::V4;
    FailoverConfig config;
    std::vector<Server> servers;
  };

  // From now on these are the pools; `index` of plan() is the place in this list.
  void set_pools(std::vector<Pool> pools, Instant now);
  // What the check of a server says; absent: it has none, or has not answered yet.
  void set_check(std::uint64_t identity, std::optional<bool> is_up, const std::string& reason,
                 Instant now);
  // A check of the server passed at that time: an ejection that is older is over.
  void pass(std::uint64_t identity, Instant when, Instant now);
  // So many flows of the server failed that it is to be ejected, if that is allowed.
  void fail(std::uint64_t identity, std::uint32_t failures, Instant now);
  // Flows go back to the first tiers of the group that can take them.
  void fail_back(const std::string& group);
  // Ends the ejections whose time is over. Returns when to call it again: max() for never.
  Instant advance(Instant now);

  const TierPlan& plan(std::size_t index) const { return plans_[index]; }
  // The pools whose plan is another than at the last call.
  std::set<std::size_t> take_changed() { return std::exchange(changed_, {}); }
  ServerHealth health(std::uint64_t identity) const;
  // What others have to tell.
  void tell(FailoverReason reason, const std::string& subject, std::string text);
  // Of the reason, since the start.
  std::uint64_t count(FailoverReason reason) const noexcept {
    return counts_[static_cast<std::size_t>(reason)];
  }
  // What happened since the last call, to be logged.
  std::vector<FailoverEvent> take_events() { return std::exchange(events_, {}); }

 private:
  struct State {
    std::optional<bool> is_up;
    std::string reason;
    Ejection ejection;
    bool is_ejected = false;  // until advance() has noticed its end
    std::size_t pool = 0;
  };

  const Server& server_of(std::uint64_t identity, const State& state) const;
  bool is_healthy(const Pool& pool, const Server& server) const;
  void end_ejection(std::uint64_t identity, State& state);
  std::optional<FailoverReason> why_not_eject(const Pool& pool, std::uint64_t identity) const;
  void plan_pool(std::size_t index);
  void tell_plan(const Pool& pool, const TierPlan& before, const TierPlan& after);

  std::vector<Pool> pools_;
  std::vector<TierPlan> plans_;                                   // by pool
  std::map<std::pair<std::string, Family>, std::size_t> floors_;  // of groups that gave up tiers
  std::map<std::uint64_t, State> states_;                         // by identity
  std::set<std::size_t> changed_;
  std::array<std::uint64_t, kFailoverReasons> counts_{};
  std::vector<FailoverEvent> events_;
};

}  // namespace nfsteer
