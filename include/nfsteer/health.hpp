// Health checks: whether servers answer when they are asked.
//
// A check says how to ask: by its kind (one file each in src/health and one row in
// checks.def), how often, and how many answers in a row count. A target is one
// address and port that is asked so; however many groups use a check, there is one
// stream of probes to a target. CheckBoard knows what the results make of each target
// and when the next probe is due; it has neither clock nor I/O. Prober runs the probes
// of all targets on one thread.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "nfsteer/base/address.hpp"
#include "nfsteer/base/result.hpp"

namespace nfsteer {

// ---- what a person writes ---------------------------------------------------

// What a target is before its first probe has ended.
enum class CheckStart : std::uint8_t {
  Up,    // not known, and used as if it were up
  Down,  // not known, and used as if it were down
  Last,  // what it was last known to be, or as Up where that is not known
};

// The value of an option: what CheckOption::type says.
using CheckValue = std::variant<bool, std::string, std::vector<std::string>>;

struct CheckConfig {
  std::string name;
  std::string kind = "tcp";                        // a row of checks.def
  std::chrono::milliseconds interval{2'000};       // from the start of a probe to the next
  std::chrono::milliseconds interval_down{5'000};  // the same while the target is down
  std::chrono::milliseconds timeout{1'000};        // of a whole probe; at most the interval
  std::uint32_t rise = 2;                          // passes in a row that make a target up
  std::uint32_t fall = 3;                          // failures in a row that make it down
  std::uint32_t jitter_percent = 10;               // intervals are so much longer or shorter
  CheckStart start = CheckStart::Up;
  std::optional<std::uint16_t> port;                       // instead of the server's
  std::map<std::string, CheckValue, std::less<>> options;  // those of its kind, by key

  friend bool operator==(const CheckConfig&, const CheckConfig&) = default;
};
inline constexpr std::chrono::milliseconds kCheckIntervalMin{50};
inline constexpr std::chrono::milliseconds kCheckIntervalMax = std::chrono::hours(1);
inline constexpr std::chrono::milliseconds kCheckTimeoutMin{10};
inline constexpr std::uint32_t kCheckInRowMax = 100;  // rise, fall; from 1
inline constexpr std::uint32_t kCheckJitterMax = 50;  // percent

// ---- kinds --------------------------------------------------------------------

// An option of a kind of check.
struct CheckOption {
  enum class Type : std::uint8_t { Flag, Text, List };

  const char* key;
  Type type;
  bool required = false;
  const char* expects;  // for messages: "a path such as \"/healthz\""
  // What is wrong with a text, which is the index-th of a list. Null: nothing ever is.
  Result<void> (*check)(std::string_view text, std::size_t index) = nullptr;
};

class Check;  // one that is ready to be used; private to the module

// A kind of check.
struct CheckKind {
  enum class Port : std::uint8_t {
    Needed,
    Used,  // where there is one
    None,
  };

  const char* name;     // in rules files, such as "tcp"
  const char* summary;  // one line, for people
  Port port;
  std::span<const CheckOption> options;
  // REQUIRES: problems_of(config) is empty. An error is of this machine.
  Result<std::shared_ptr<const Check>> (*make)(const CheckConfig& config);
};

// All kinds, in the order of checks.def.
std::span<const CheckKind> check_kinds() noexcept;
// The kind of that name, or nullptr.
const CheckKind* find_check_kind(std::string_view name) noexcept;

// Something that is wrong with a check. `path` leads to the value: a key, or the key
// of a list and an index as "[2]"; empty: the check as a whole.
struct CheckProblem {
  std::vector<std::string> path;
  std::string message;
  std::string remedy;  // may be empty
};
// All that is wrong with it, but for its name. Looks for the commands and users that it
// names on this machine.
std::vector<CheckProblem> problems_of(const CheckConfig& check);

// The user as whom the check runs programs on this machine; nullopt: it runs none.
// REQUIRES: problems_of(check) is empty
std::optional<std::uint32_t> program_user(const CheckConfig& check);

// ---- targets ------------------------------------------------------------------

// One stream of probes.
struct CheckTarget {
  std::string check;
  Address address;
  std::uint16_t port = 0;  // 0: none

  friend auto operator<=>(const CheckTarget&, const CheckTarget&) = default;
};
// "web of 10.2.0.1 port 8080".
std::string to_string(const CheckTarget& target);

// The target of a server; nullopt where neither it nor the check has the port that the
// kind needs. REQUIRES: the kind exists
std::optional<CheckTarget> target_of(const CheckConfig& check, const Address& address,
                                     std::optional<std::uint16_t> server_port);

enum class CheckState : std::uint8_t { Unknown, Up, Down };
// "unknown", "up", "down".
const char* name(CheckState state) noexcept;

enum class ProbeOutcome : std::uint8_t {
  Passed,
  Failed,   // the server's failure
  Skipped,  // this machine could not ask; says nothing of the server
};

struct ProbeResult {
  ProbeOutcome outcome = ProbeOutcome::Passed;
  std::string reason;  // ASCII, such as "200", "refused", "no answer within 1 s"
  std::chrono::microseconds took{0};
};

struct TargetStatus {
  using Instant = std::chrono::steady_clock::time_point;

  struct Last {
    Instant when;  // it ended
    bool passed = false;
    std::string reason;
    std::chrono::microseconds took{0};
  };

  CheckTarget target;
  CheckState state = CheckState::Unknown;
  bool presumed_up = true;   // what to hold it for while it is Unknown
  Instant since;             // it got its state, or became a target
  std::optional<Last> last;  // the last probe that asked
  std::uint32_t passes_in_row = 0;
  std::uint32_t failures_in_row = 0;
  bool held = false;    // it would be Down, were it not for the guard
  bool awake = true;    // probes are run
  std::string skipped;  // why the latest probe could not ask; empty: it could

  // Whether flows may go to it.
  bool is_up() const noexcept {
    return state == CheckState::Up || (state == CheckState::Unknown && presumed_up);
  }
};

// ---- what there is to report ----------------------------------------------------

struct StateChanged {
  CheckTarget target;
  CheckState from = CheckState::Unknown;
  CheckState to = CheckState::Up;
  std::string reason;  // of the probe that did it
};

// See CheckBoard.
struct GuardChanged {
  enum class Step : std::uint8_t { Holds, LetsGo, Believes };
  Step step = Step::Holds;
  std::size_t failing = 0;   // of those that
  std::size_t compared = 0;  // could be
};

// Probes cannot ask, for a reason for which no other could not.
struct ProbesSkipped {
  CheckTarget target;  // the first
  std::string reason;
};

using HealthEvent = std::variant<StateChanged, GuardChanged, ProbesSkipped>;
// One line for people.
std::string to_string(const HealthEvent& event);

// ---- the board ------------------------------------------------------------------

struct WantedTarget {
  CheckTarget target;
  // What it was, as far as its owner knows. Counts for checks with CheckStart::Last.
  std::optional<CheckState> last = {};
  bool awake = true;  // false: no probes until set_awake()
};

// A probe that is to be run.
struct ProbeTicket {
  CheckTarget target;
  std::uint64_t number = 0;  // of all probes
};

// What the results of probes make of their targets, and when the next are due.
//
// An Unknown target is what its first result says. After that `fall` failures in a row
// make it Down, `rise` passes in a row Up. The first probe is due within one interval,
// at random; then one interval after the start of the one before, or `interval_down`
// where the target is Down, longer or shorter by the jitter. While a target is on its
// way from one state to the other, an interval is kQuick at most. Probes that could not
// ask change nothing, and are due again as soon.
//
// The guard: when many fail at once, it is perhaps not they who fail.
// - A target that is Up and fails for the first time calls up to kWitnesses others that
//   are Up, of which nothing was heard since that probe began: they are probed at once.
// - When it has failed `fall` times it waits until they have spoken, for its time-out
//   and kQuick at most. So all that fail within one interval are known to fail before the
//   first of them goes down, whatever `fall` is.
// - Then it is compared with all that are Up and awake. Compared are those that passed a
//   probe which began since its own failing one, and those that fail; but of both only
//   by probes that began so long ago that a failure would be known, as passes are known
//   sooner. They fail with it if they began to within one interval of it (the longer of
//   both).
// - Where kGuardUpMin or more can be compared, and kGuardPercent of them fail with it,
//   the guard holds: from then on no target goes Down. It lets go when the share of
//   those that fail, whenever they began to, is below that; who fails once more then
//   goes Down. After kGuardHold of it they are believed, and go Down together; there is
//   no guard then until the share was below that.
//
// All times are of a clock that never goes back. Not for several threads at once.
class CheckBoard {
 public:
  using Instant = TargetStatus::Instant;
  static constexpr std::chrono::milliseconds kQuick{1'000};
  static constexpr std::size_t kWitnesses = 8;
  static constexpr std::size_t kGuardUpMin = 3;
  static constexpr std::size_t kGuardPercent = 80;
  static constexpr std::chrono::seconds kGuardHold{30};

  explicit CheckBoard(std::uint64_t seed);
  CheckBoard(CheckBoard&&) noexcept;
  CheckBoard& operator=(CheckBoard&&) noexcept;
  ~CheckBoard();

  // From now on these are all targets. One that stays keeps all that is known of it; if
  // its check is another one now, the probe that runs is given up and the next is due
  // within an interval. REQUIRES: problems_of() of each check is empty, and each target's
  // check is one of them
  void set_targets(const std::vector<CheckConfig>& checks, const std::vector<WantedTarget>& targets,
                   Instant now);
  void remove(const CheckTarget& target);
  // A target that sleeps keeps its state. It is probed at once when it awakes. Where
  // there is no such target, nothing happens.
  void set_awake(const CheckTarget& target, bool awake, Instant now);

  // When a probe is due that does not run yet; Instant::max(): never.
  Instant next_due() const noexcept;
  // The probes that are due. They run from now on, each until finish().
  std::vector<ProbeTicket> begin_due(Instant now);
  // Whether the probe runs, and was not given up.
  bool is_running(const ProbeTicket& ticket) const;
  // The probe has ended. Nothing happens where it was given up.
  std::vector<HealthEvent> finish(const ProbeTicket& ticket, const ProbeResult& result,
                                  Instant now);

  // By target.
  std::vector<TargetStatus> statuses() const;

 private:
  class Rows;
  std::unique_ptr<Rows> rows_;
};

// ---- the prober -----------------------------------------------------------------

// Runs the probes of all targets, on a thread of its own. What is public is for one
// thread, if nothing else is said.
class Prober {
 public:
  // `report` is called by the prober's thread, and may call statuses(). `mark` is that
  // of the packets of probes (SO_MARK), 0: none; where it may not be set there is none.
  explicit Prober(std::function<void(const HealthEvent&)> report, std::uint32_t mark = 0);
  ~Prober();  // stops

  // As those of CheckBoard. Before start() or after.
  void set_targets(const std::vector<CheckConfig>& checks,
                   const std::vector<WantedTarget>& targets);
  void remove(const CheckTarget& target);
  void set_awake(const CheckTarget& target, bool awake);

  // Once. Fails where this machine is short of descriptors or threads.
  Result<void> start();
  // Ends all probes, with the processes of `exec`. Nothing is reported any more.
  void stop();

  // By target. Any thread.
  std::vector<TargetStatus> statuses() const;

 private:
  struct Shared;
  class Loop;
  const std::function<void(const HealthEvent&)> report_;
  const std::uint32_t mark_;
  std::unique_ptr<Shared> shared_;
  std::unique_ptr<Loop> loop_;  // null: it does not run
};

}  // namespace nfsteer
