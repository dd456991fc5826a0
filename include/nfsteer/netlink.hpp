// The kernel's side: packet queues, our nftables table, conntrack, interfaces.
// The only module that includes libmnl, libnetfilter_queue, libnftnl and
// libnetfilter_conntrack.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "nfsteer/base/fd.hpp"
#include "nfsteer/base/mark.hpp"
#include "nfsteer/base/result.hpp"
#include "nfsteer/feedback.hpp"
#include "nfsteer/flow.hpp"
#include "nfsteer/policy.hpp"

namespace nfsteer::netlink {

// Whether this thread has CAP_NET_ADMIN in effect, which all below needs that
// speaks to the kernel, if it does not say otherwise.
bool may_administer_network();

// ---- packet queues ------------------------------------------------------------

// Binds queue `number` to a new netlink socket: copy mode, length and flags in
// one message, so that no packet meets a half-configured queue. The queue lives
// as long as the socket, whichever process holds it. The error tells a missing
// privilege from a queue that another process owns, and names that process.
Result<Fd> open_queue(std::uint16_t number, const EngineConfig& config);

// What the kernel says of one queue (/proc/net/netfilter/nfnetlink_queue).
struct QueueState {
  std::uint16_t number = 0;
  std::uint32_t owner = 0;           // netlink port id of the socket
  std::uint32_t waiting = 0;         // packets without a verdict
  std::uint8_t copy_mode = 0;        // 2: packets are copied
  std::uint64_t dropped_full = 0;    // the queue was at its length
  std::uint64_t dropped_socket = 0;  // the socket's buffer was full
  std::uint32_t last_id = 0;         // of the packet queued last
};
// All queues of this network namespace; empty where there are none.
std::vector<QueueState> queue_states();

// One packet that the kernel holds for us.
struct QueuedPacket {
  std::uint32_t mark = 0;          // all 32 bits, host order
  std::uint32_t in_interface = 0;  // index; 0: none
  std::uint32_t out_interface = 0;
  std::optional<std::uint32_t> uid;  // local packets only
  std::optional<std::uint32_t> gid;
  std::uint32_t length = 0;          // of the whole packet, bytes
  std::span<const std::byte> bytes;  // what was copied of it, from the network header
};

// NF_DROP, NF_ACCEPT and NF_REPEAT of linux/netfilter.h.
enum class Verdict : std::uint32_t { Drop = 0, Accept = 1, Repeat = 4 };

struct Answer {
  Verdict verdict = Verdict::Accept;
  std::optional<std::uint32_t> mark;  // the packet's new mark, all 32 bits; absent: unchanged
};

// What can go wrong on a queue's socket. Each is a counter; none ends the loop.
enum class QueueError : std::uint8_t {
  VerdictUnknown,  // the packet was no longer waiting (a hook went away, or answered before)
  VerdictRefused,  // any other error that the kernel answered
  ReceiveOverrun,  // ENOBUFS: the socket's buffer overflowed
  ReceiveFailed,
  SendRetried,  // the kernel had no memory for a batch of verdicts; sent again
  SendFailed,   // the kernel takes no verdicts from us: these packets wait on
  BadMessage,   // not a packet, or without its id
};
inline constexpr std::size_t kQueueErrors = 7;
const char* name(QueueError error) noexcept;

// The door to one bound queue: receives packets in batches and sends their
// verdicts, in order, in one message a batch. One thread's own. After
// construction nothing here allocates, locks or logs.
class Queue {
 public:
  using Errors = std::array<std::uint64_t, kQueueErrors>;

  // `socket` is from open_queue() and outlives the Queue. `answered` is the id
  // of the last packet that was answered; it outlives the process that wrote it.
  Queue(int socket, std::uint16_t number, std::uint32_t copy_bytes,
        std::atomic<std::uint32_t>& answered);
  ~Queue();

  // Answers what an earlier process had received but not answered.
  void answer_abandoned(Answer answer) noexcept;

  // Waits up to kWait for packets, calls `decide` for each in order, and
  // sends the answers. Every packet that arrived is answered, exactly once.
  // Returns how many there were. Decide: Answer(const QueuedPacket&) noexcept.
  template <typename Decide>
  std::size_t serve(Decide decide) noexcept {
    const std::size_t messages = receive();
    std::size_t packets = 0;
    for (std::size_t i = 0; i < messages; ++i) {
      std::uint32_t id = 0;
      QueuedPacket packet;
      if (!read(i, id, packet)) continue;
      append(id, decide(std::as_const(packet)));
      ++packets;
    }
    send();
    return packets;
  }

  const Errors& errors() const noexcept { return errors_; }

  static constexpr std::size_t kBatch = 90;  // their verdicts fill 3,600 bytes: under one page
  static constexpr std::chrono::milliseconds kWait{200};

 private:
  std::size_t receive() noexcept;
  bool read(std::size_t slot, std::uint32_t& id, QueuedPacket& packet) noexcept;
  // The id of the first packet that waits in the socket; errors before it are
  // taken out and counted.
  std::optional<std::uint32_t> first_unread() noexcept;
  void append(std::uint32_t id, Answer answer) noexcept;
  void send() noexcept;
  void count(QueueError error) noexcept { ++errors_[static_cast<std::size_t>(error)]; }

  struct Buffers;
  int socket_;
  std::uint16_t number_;
  std::atomic<std::uint32_t>& answered_;
  std::unique_ptr<Buffers> buffers_;
  Errors errors_{};
};

// ---- our nftables table -----------------------------------------------------

// All that the table `inet nfsteer` is made of: a plain value, from which both
// the text for `nft -f` and the netlink transaction are made.
struct Ruleset {
  struct Server {
    ServerId id = 0;
    std::string name;  // "group/server", shown as the element's comment
    Address address;
    std::optional<std::uint16_t> port;
    bool snat = false;

    friend bool operator==(const Server&, const Server&) = default;
  };
  // What becomes of flows of one family while no engine runs: the in-kernel
  // choice among the servers of a group, or of groups whose routes share flows.
  struct FallbackGroup {
    std::string name;  // of no other of its family
    Family family = Family::V4;
    struct Member {
      ServerId id = 0;  // with Action::Steer
      std::uint32_t weight = 1;
      Action action = Action::Steer;

      friend bool operator==(const Member&, const Member&) = default;
    };
    std::vector<Member> members;  // not empty

    friend bool operator==(const FallbackGroup&, const FallbackGroup&) = default;
  };
  // Addresses first to last go to fallback_groups[group]. Disjoint, ascending.
  struct FallbackRange {
    Address first, last;
    std::size_t group = 0;

    friend bool operator==(const FallbackRange&, const FallbackRange&) = default;
  };
  // Addresses first to last are queued. Disjoint, ascending, not touching.
  struct ScopeRange {
    Address first, last;

    friend bool operator==(const ScopeRange&, const ScopeRange&) = default;
  };

  MarkLayout mark;
  Manage manage = Manage::Table;
  std::uint16_t queue_first = 0;
  std::uint16_t queue_count = 1;
  bool bypass = true;
  bool prerouting = true;
  bool output = false;
  std::vector<std::uint32_t> probe_users;  // whose packets are left alone at output
  std::vector<Server> servers;
  std::vector<ScopeRange> scope;
  std::vector<FallbackGroup> fallback_groups;
  std::vector<FallbackRange> fallback;

  friend bool operator==(const Ruleset&, const Ruleset&) = default;
};

// The table that carries out the snapshot's decisions. `situation` is one of the
// snapshot: who takes flows, so that the fallback does what the engine would.
Ruleset make_ruleset(const Snapshot& snapshot, const Situation& situation);
// The same without servers, and for no destination.
Ruleset make_ruleset(const EngineConfig& engine);

// The fallback of a snapshot's ruleset, made anew when servers come and go.
class FallbackPlan {
 public:
  // The snapshot outlives it.
  explicit FallbackPlan(const Snapshot& snapshot);
  ~FallbackPlan();

  // Writes the fallback as of the situation over that of the ruleset.
  void write(const Situation& situation, Ruleset& ruleset);

 private:
  class Side;
  std::vector<std::unique_ptr<Side>> sides_;  // of IPv4, of IPv6
};

// The table as text that `nft -f` loads: idempotent, one transaction.
std::string to_nft(const Ruleset& ruleset);

// How packets are queued: by the statement of nftables, or by the target of
// xtables, for kernels that have only that.
enum class QueueForm : std::uint8_t { Native, XtTarget };

// Makes the kernel's table equal to `ruleset`, in one transaction, whatever an
// earlier run left. Base chains are created where missing and never deleted.
// `queue` is written natively, or as the xt target where the kernel lacks it; returns
// which. Manage::Elements: fills in sets, maps, and the chains that maps name, where
// check_loaded() has nothing against it; base chains and their rules stay.
Result<QueueForm> install(const Ruleset& ruleset);

// Whether the kernel's table, which somebody has loaded, is one for `ruleset`, but
// for what install() fills in. The error names the first difference, and the remedy.
Result<void> check_loaded(const Ruleset& ruleset);

// Whether the kernel's table has all chains and sets of the ruleset, whatever is in them.
Result<bool> is_installed(const Ruleset& ruleset);

// Brings the kernel's table from one state to another, in one transaction that has only
// what differs; false where nothing does. No packet notices what does not concern it.
// REQUIRES: the kernel's table is `from`, of the same marks and the same `manage`
Result<bool> update(const Ruleset& from, const Ruleset& to, QueueForm form);

// The number of the latest transaction of nftables in the network namespace, whoever asked
// for it: each has another.
Result<std::uint32_t> ruleset_generation();

// Word of what other programs do to our table. One thread's own.
class RulesetMonitor {
 public:
  static Result<RulesetMonitor> open();

  // Readable when anybody has changed any table.
  int fd() const noexcept { return socket_.get(); }
  struct Change {
    std::string author;  // such as "nft (pid 812)"
    // false: so much was changed, by anybody, that the kernel could not tell what.
    bool is_certain = true;
  };
  // Reads all there is: what others did to our table since the last call.
  std::optional<Change> read();

 private:
  explicit RulesetMonitor(Fd socket) : socket_(std::move(socket)) {}

  Fd socket_;
  bool is_ours_ = false;  // the table of what was read since the last transaction's end
};

// The servers of the kernel's table, as an earlier run left them, by the ids of
// `layout`. Empty where there is no table.
std::map<ServerIdentity, ServerId> installed_servers(const MarkLayout& layout);

// Empties the chains that queue packets, so that new flows take the fallback; with
// Manage::Elements, the sets of what is queued. No error where there is no table.
Result<void> stop_queueing(Manage manage);

// Deletes the table, and all that is in it. No error where there is none.
Result<void> remove_ruleset();

// ---- conntrack --------------------------------------------------------------

// How many conntrack entries carry each value of a mark under `mask`, by one
// dump. Entries whose bits under `mask` are zero are left out.
Result<std::map<std::uint32_t, std::uint64_t>> count_flows(std::uint32_t mask);
// Deletes the entries that carry `mark` under `mask`, with one message.
Result<void> delete_flows(std::uint32_t mark, std::uint32_t mask);
// Deletes the entry of that tuple and id (flow_id()). No error where it is gone.
// REQUIRES: TCP, UDP or SCTP
Result<void> delete_flow(const FiveTuple& tuple, std::uint32_t id);

// The entry of that tuple, as a listing has it; nullopt where there is none.
// REQUIRES: TCP, UDP or SCTP
std::optional<FlowReport> find_flow(const FiveTuple& tuple, const MarkLayout& layout);

// What the kernel tells of flows that carry a server's mark, as it happens. A
// filter in the kernel keeps out the flows of others, and what says nothing that
// is not known already: TCP that is established, TCP that waits after its end.
// Never blocks. One thread's own.
class ConntrackEvents {
 public:
  static constexpr std::size_t kBuffer = std::size_t{64} << 20;  // bytes; some 60,000 events

  static Result<ConntrackEvents> open(const MarkLayout& layout, std::size_t buffer = kBuffer);
  ConntrackEvents(ConntrackEvents&&) noexcept;
  ConntrackEvents& operator=(ConntrackEvents&&) noexcept;
  ~ConntrackEvents();

  // Readable when there are events, and when some were lost.
  int fd() const noexcept { return socket_.get(); }

  // The next events, in order, to be used before the next call. Empty: there are
  // none now.
  std::span<const FlowReport> read();

  // How often the buffer was full. From then until all was read, events were lost.
  std::uint64_t overruns() const noexcept { return overruns_; }
  // Messages that could not be read as an event.
  std::uint64_t broken() const noexcept { return broken_; }

 private:
  struct Buffers;
  ConntrackEvents(Fd socket, const MarkLayout& layout);

  Fd socket_;
  MarkLayout layout_;
  std::unique_ptr<Buffers> buffers_;
  std::uint64_t overruns_ = 0, broken_ = 0;
};

// A listing of all flows that carry a server's mark, in parts, so that events can
// be read between them. One thread's own.
class FlowListing {
 public:
  static Result<FlowListing> begin(const MarkLayout& layout);
  FlowListing(FlowListing&&) noexcept;
  ~FlowListing();

  // Reads the next part; false at the end.
  Result<bool> next();
  // The flows of that part, to be used before the next one. May be empty.
  std::span<const FlowReport> flows() const noexcept;
  // The table changed in such a way that flows may be missing: list anew.
  bool was_interrupted() const noexcept { return was_interrupted_; }

 private:
  struct Part;
  FlowListing(Fd socket, const MarkLayout& layout);

  Fd socket_;
  MarkLayout layout_;
  std::unique_ptr<Part> part_;
  bool was_interrupted_ = false;
};

// How full conntrack's table is.
struct ConntrackUsage {
  std::uint64_t entries = 0;
  std::uint64_t max = 0;  // then the kernel drops what would be a new flow
};
// nullopt where there is no conntrack.
std::optional<ConntrackUsage> conntrack_usage();

// Asks the kernel to count the packets and bytes of flows, and to stamp events
// with their time. It does so for flows that begin later.
struct ConntrackSetting {
  std::string name;     // such as "net.netfilter.nf_conntrack_acct"
  std::string purpose;  // what there is not without it
  std::string problem;  // why it could not be set; empty: it was 0, and is 1 now
};
// Those that were not so already.
std::vector<ConntrackSetting> prepare_conntrack();

// ---- interfaces -------------------------------------------------------------

// Index and name of each interface of this network namespace. Needs no privilege.
Result<std::vector<std::pair<std::uint32_t, std::string>>> interfaces();

// A socket that becomes readable when an interface comes, goes, or changes, by
// its name or otherwise: then drain it first, and list after. Never blocks.
Result<Fd> open_interface_monitor();
// Takes all that the monitor was told, also that it was too much to tell.
void drain_interface_monitor(int monitor) noexcept;

}  // namespace nfsteer::netlink
