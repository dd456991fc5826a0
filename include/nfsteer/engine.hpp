// The running engine: keeper, workers, control socket; and the client's side
// of that socket.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "nfsteer/base/result.hpp"
#include "nfsteer/config.hpp"
#include "nfsteer/explain.hpp"
#include "nfsteer/policy.hpp"
#include "nfsteer/steering.hpp"

namespace nfsteer {

struct CaptureCounts;
struct Comparison;
struct FlowEvent;
struct NamedDecision;
struct ReplayReport;

// ---- running ----------------------------------------------------------------

inline constexpr const char* kControlSocketDefault = "/run/nfsteer/control.sock";

inline constexpr const char* kStateDirectoryDefault = "/var/lib/nfsteer";

struct RunOptions {
  std::string control_socket = kControlSocketDefault;
  std::string state_directory = kStateDirectoryDefault;  // of what people set
};

// Steers until SIGTERM or SIGINT: binds the queues and the control socket, then keeps
// an engine process at work on them. SIGHUP has it read its rules file again. Prints
// "ready" to stderr, and tells systemd, when flows are being steered. `sources` is what
// the configuration was read from. Returns when all has ended; the error is what kept
// it from starting. REQUIRES: one thread in the process.
Result<void> run(Config config, Sources sources, const RunOptions& options);

// The process id of the nfsteer that runs in this network namespace, if one does.
std::optional<int> running_pid();

// ---- what an engine tells about itself ----------------------------------------

// Packets by what became of them. received is always the sum of the four
// outcomes; errors are counted beside them, by name.
struct QueueStatus {
  std::uint16_t queue = 0;
  std::uint64_t received = 0;
  std::uint64_t accepted = 0;  // steered to a server
  std::uint64_t dropped = 0;
  std::uint64_t rejected = 0;
  std::uint64_t passed = 0;  // accepted as they are, not steered
  std::map<std::string, std::uint64_t> errors;
  std::uint64_t waiting = 0;  // in the kernel's queue now
};

// The kernel's connection tracking, and what it told us.
struct ConntrackStatus {
  std::uint64_t entries = 0, max = 0;  // of the whole network namespace
  std::uint64_t flows = 0;             // of them steered, as far as we know
  std::uint64_t events = 0;
  std::uint64_t overruns = 0;  // times that events were lost
  std::uint64_t resyncs = 0;   // whole tables read for that
  std::uint64_t unknown = 0;   // events of flows that were not known
  std::uint64_t broken = 0;    // events that could not be read
  std::uint64_t deleted = 0;   // stale entries
};

struct Status {
  std::string version;
  int pid = 0;
  std::uint64_t generation = 1;  // of the configuration; each reload adds one
  std::uint64_t starts = 1;      // engine processes so far under this keeper
  double uptime_s = 0;
  std::string state;  // "steering"
  std::uint64_t reloads = 0, reloads_failed = 0;
  std::uint64_t ruleset_repairs = 0;   // after others changed our table
  std::uint64_t fallback_updates = 0;  // in the kernel, as servers came and went
  std::uint64_t snapshots = 1;  // in memory: more than one while some reader has one of before
  std::vector<QueueStatus> queues;
  Statistics counted;
  ConntrackStatus conntrack;
};

// What `flush flows` did.
struct FlushedFlows {
  std::uint64_t flows = 0;
};

// A client that stays with a server.
struct AffinityEntry {
  std::string group;
  std::string client;  // a prefix
  std::string server;
  std::uint32_t age_s = 0;  // since its last new flow
};
struct AffinityList {
  std::vector<AffinityEntry> entries;  // kAffinityListMax at most
  std::uint64_t total = 0;             // of which these are
};
inline constexpr std::size_t kAffinityListMax = 10'000;

// Which clients are asked for: of one group, within one prefix.
struct AffinityQuestion {
  std::optional<std::string> group;
  std::optional<std::string> client;  // as parse_prefix() takes it
};

// Stale flows, each with the reason: those that were deleted, or would be.
struct StaleFlows {
  std::vector<std::string> flows;
};

// What a reload changed, or would change.
struct Reload {
  std::uint64_t generation = 0;                   // that is in force
  double seconds = 0;                             // that it took
  std::vector<std::string> changes;               // a line each: "~ group.web.web2.weight 10 -> 20"
  std::uint64_t changes_left_out = 0;             // beyond kChangesMax
  std::optional<std::uint64_t> confirm_within_s;  // or what was in force before comes back
};

struct ReloadError {
  bool is_invalid = false;  // the rules file: the message is its mistakes, each at its place
  std::string message;
};

// What was set of a server or a group.
struct Setting {
  std::string subject;        // "web/web1"
  std::string before, after;  // such as "up", "drain"
  std::uint64_t active = 0;   // flows of the server
  std::string warning;        // why it may not outlive the engine; empty: it does
};

// The explanation as the JSON object that `explain --json` prints.
std::string json_of(const Explanation& explanation);
// What `replay --json` prints, and for one flow.
std::string json_of(const CaptureCounts& capture, const ReplayReport& report);
std::string json_of(const FlowEvent& event, const NamedDecision& decision);
// What `replay --against --json` and `plan --json` print, and for one flow that moves.
// `capture` may be null.
std::string json_of(const Comparison& comparison, const CaptureCounts* capture);
std::string json_of(const FlowEvent& event, const NamedDecision& from, const NamedDecision& to);

// ---- asking a running engine ----------------------------------------------------

// Why a request to the engine failed.
struct ClientError {
  enum class Kind : std::uint8_t { NotRunning, NotPermitted, ConfigInvalid, Refused, Broken };
  Kind kind = Kind::Broken;
  std::string message;
};
template <typename T>
using ClientResult = tl::expected<T, ClientError>;

// The client's side of the control socket of a running engine. Each call makes
// a connection of its own and waits for the answer, `patience` at most.
class Client {
 public:
  explicit Client(std::string socket_path,
                  std::chrono::milliseconds patience = std::chrono::seconds(5))
      : path_(std::move(socket_path)), patience_(patience) {}

  ClientResult<Status> status() const;
  // The answer to status as the JSON object that `status --json` prints.
  ClientResult<std::string> status_json() const;
  // How the engine would decide the flow now, and why.
  ClientResult<Explanation> explain(const FlowQuestion& question) const;
  ClientResult<AffinityList> affinity(const AffinityQuestion& question) const;
  // The answer as the JSON object that `affinity --json` prints.
  ClientResult<std::string> affinity_json(const AffinityQuestion& question) const;
  ClientResult<void> flush_cache() const;
  ClientResult<void> flush_stats() const;
  // Deletes the conntrack entries of steered flows: all, those of one group, or
  // those of one server ("group/server").
  ClientResult<FlushedFlows> flush_flows(const std::optional<std::string>& group,
                                         const std::optional<std::string>& server) const;
  // Forgets clients; how many.
  ClientResult<std::uint64_t> flush_affinity(const AffinityQuestion& question) const;
  // Deletes, or only lists, the UDP flows to servers that are gone.
  ClientResult<StaleFlows> flush_stale(bool dry_run) const;

  // Puts the rules file in force as it is now; with `confirm`, for so long if nobody
  // confirms it.
  ClientResult<Reload> reload(std::optional<std::chrono::seconds> confirm) const;
  ClientResult<void> confirm() const;
  // Goes back to what was in force before a reload that waits to be confirmed.
  ClientResult<Reload> undo() const;
  // What a reload of that file, by its absolute path, would change.
  ClientResult<Reload> diff(const std::string& path) const;
  // What people set of a server, "group/server".
  ClientResult<Setting> set_state(const std::string& server, ServerState state) const;
  // "20", or "50%" of what the configuration says.
  ClientResult<Setting> set_weight(const std::string& server, const std::string& weight) const;
  ClientResult<Setting> set_algorithm(const std::string& group, const std::string& algorithm) const;

 private:
  std::string path_;
  std::chrono::milliseconds patience_;
};

}  // namespace nfsteer
