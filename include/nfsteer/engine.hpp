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
#include "nfsteer/explain.hpp"
#include "nfsteer/policy.hpp"
#include "nfsteer/steering.hpp"

namespace nfsteer {

// ---- running ----------------------------------------------------------------

inline constexpr const char* kControlSocketDefault = "/run/nfsteer/control.sock";

struct RunOptions {
  std::string control_socket = kControlSocketDefault;
};

// Steers until SIGTERM, SIGINT or SIGHUP: binds the queues and the control socket,
// then keeps an engine process at work on them. Prints "ready" to stderr, and
// tells systemd, when flows are being steered. Returns when all has ended; the
// error is what kept it from starting. REQUIRES: one thread in the process.
Result<void> run(const Config& config, const RunOptions& options);

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

// The explanation as the JSON object that `explain --json` prints.
std::string json_of(const Explanation& explanation);

// ---- asking a running engine ----------------------------------------------------

// Why a request to the engine failed.
struct ClientError {
  enum class Kind : std::uint8_t { NotRunning, NotPermitted, Refused, Broken };
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

 private:
  std::string path_;
  std::chrono::milliseconds patience_;
};

}  // namespace nfsteer
