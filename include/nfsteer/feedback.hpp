// What the kernel's conntrack tells of steered flows: the figures of each server,
// and the gauges that balancers read, kept right whatever gets lost on the way.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <bitset>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "nfsteer/balance.hpp"
#include "nfsteer/base/mark.hpp"
#include "nfsteer/base/tally.hpp"
#include "nfsteer/flow.hpp"

namespace nfsteer {

// ---- reports --------------------------------------------------------------------

// As conntrack numbers them (linux/netfilter/nf_conntrack_tcp.h).
enum class TcpState : std::uint8_t {
  None,
  SynSent,
  SynReceived,
  Established,
  FinWait,
  CloseWait,
  LastAck,
  TimeWait,
  Close,
  SynSent2
};
// A FIN or RST was seen.
constexpr bool is_over(TcpState state) noexcept {
  return state >= TcpState::FinWait && state <= TcpState::Close;
}

// Of both directions together.
struct Volume {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;

  friend constexpr bool operator==(const Volume&, const Volume&) = default;
};

// What one event, or one entry of a listing, says of a flow. Host order.
struct FlowReport {
  enum class Kind : std::uint8_t {
    New,      // the flow has begun
    Update,   // its first reply came, or its TCP state changed
    Destroy,  // its entry is gone
    Listed,   // its entry is there
  };

  Kind kind = Kind::New;
  TcpState tcp_state = TcpState::None;  // None: not TCP, or not told
  bool seen_reply = false;
  ServerId server = 0;           // our bits of its mark: also such as are no server's
  std::uint64_t key = 0;         // flow_key()
  std::uint64_t stamp_ns = 0;    // when it happened, by the kernel's wall clock; 0: not told
  std::optional<Volume> volume;  // since it began; only with nf_conntrack_acct
  Volume answers;                // the server's part of it
  FiveTuple tuple;               // of its first packet, before any rewriting

  friend bool operator==(const FlowReport&, const FlowReport&) = default;
};

// Names a flow among millions: the id of its entry (CTA_ID) in the high half, for
// exact deletion, and a hash of the tuple in the low one, as 32 bits alone would
// name two flows alike. A later flow of the same tuple may have the same key.
std::uint64_t flow_key(std::uint32_t id, const FiveTuple& tuple) noexcept;
constexpr std::uint32_t flow_id(std::uint64_t key) noexcept {
  return static_cast<std::uint32_t>(key >> 32);
}

// ---- figures --------------------------------------------------------------------

// A histogram of latencies in microseconds: exact below 32, then 16 buckets to
// each doubling, which makes each 3 to 6 % wide (the log-linear buckets of Gil
// Tene's HdrHistogram). What is longer than 2^27 us, or 134 s, is in the last.
struct Latencies {
  static constexpr std::size_t kBuckets = 384;
  static constexpr std::size_t bucket(std::uint64_t us) noexcept {
    us = us < kLimit ? us : kLimit - 1;
    const auto width = static_cast<unsigned>(std::bit_width(us));
    const unsigned shift = width > 5 ? width - 5 : 0;
    return shift * 16 + static_cast<std::size_t>(us >> shift);
  }
  // The least latency of the bucket.
  static constexpr std::uint64_t first(std::size_t bucket) noexcept {
    const std::size_t shift = bucket < 32 ? 0 : bucket / 16 - 1;
    return static_cast<std::uint64_t>(bucket - shift * 16) << shift;
  }

  std::array<std::uint64_t, kBuckets> counts{};
  std::uint64_t sum_us = 0;
  std::uint64_t min_us = 0, max_us = 0;  // of all ever, also of what was subtracted

  struct Summary {
    std::uint64_t samples = 0;
    std::uint64_t avg_us = 0, min_us = 0, max_us = 0;  // all 0 without samples
    std::uint64_t p50_us = 0, p90_us = 0, p99_us = 0;  // to half a bucket's width
  };
  // After a subtraction min and max too are exact to a bucket's width only.
  Summary summary() const noexcept;

  Latencies& operator+=(const Latencies& other) noexcept;
  Latencies& operator-=(const Latencies& earlier) noexcept;

 private:
  static constexpr std::uint64_t kLimit = std::uint64_t{1} << 27;
};

// What is known of a server, or of several.
struct ServerFigures {
  std::uint64_t active = 0;  // flows now
  std::uint64_t total = 0;   // flows ever
  std::uint64_t failed = 0;  // of these: refused, or never answered
  Volume volume;             // of flows that ended, and of others up to the last listing
  std::uint64_t last_s = 0;  // when the last flow began, by the clock of seconds; 0: none
  Latencies latencies;       // from a flow's first packet to the first reply

  ServerFigures& operator+=(const ServerFigures& other) noexcept;
  // Takes out what had been counted at an earlier time; what is now stays.
  ServerFigures& operator-=(const ServerFigures& earlier) noexcept;
};

// How a server's last flows went, in the order in which that becomes known. A value.
class Conduct {
 public:
  // The first reply came. TCP tells by its end, too, that all was well: a server that
  // resets what it has just accepted answers each flow.
  void answer() noexcept;
  void finish() noexcept { resets_ = 0; }
  // It was refused, or never answered.
  void fail() noexcept;
  // It was accepted and then reset without a word.
  void reset() noexcept;
  // The failures until now do not count as being in a row with later ones.
  void forgive() noexcept { silent_ = resets_ = 0; }

  // In a row.
  std::uint32_t failures() const noexcept { return std::max(silent_, resets_); }
  // Of the last kWindow flows.
  std::uint32_t seen() const noexcept { return seen_; }
  std::uint32_t failed() const noexcept { return failed_; }

  static constexpr std::uint32_t kWindow = 100;

 private:
  void push(bool is_failure) noexcept;

  std::uint32_t silent_ = 0, resets_ = 0;
  std::uint32_t seen_ = 0, failed_ = 0, next_ = 0;
  std::bitset<kWindow> window_;  // a ring: failures
};

// The figures of all servers by their ids, counted for as long as the process
// lives. Who gives an id to another server keeps what it had until then, and
// subtracts it. One thread writes, any thread reads.
class ServerRecords {
 public:
  ServerRecords() = default;
  ~ServerRecords();
  ServerRecords(const ServerRecords&) = delete;
  ServerRecords& operator=(const ServerRecords&) = delete;

  // All zero for a server of which nothing was heard.
  ServerFigures read(ServerId id) const noexcept;

  // Whether so many of its last flows failed that it should be looked at: a fifth, of ten
  // at least (dnsdist's lazy health checks).
  bool is_suspect(ServerId id) const noexcept;

  struct Record {
    Tally recent_seen, recent_failed;  // as Conduct has them
    Tally active, total, failed, packets, bytes, last_s;
    Tally latency_sum_us, latency_min_us, latency_max_us;
    std::array<Tally, Latencies::kBuckets> latencies;

    void add_latency(std::uint64_t us) noexcept;
  };
  // The writer's thread.
  Record& operator[](ServerId id);

 private:
  static constexpr std::size_t kIds = std::size_t{1} << 16;
  std::unique_ptr<std::atomic<Record*>[]> records_ = std::make_unique<std::atomic<Record*>[]>(kIds);
};

// ---- the ledger -----------------------------------------------------------------

// Follows each flow from report to report and keeps the records and the gauges.
// Needs no kernel, and no clock: the time is an argument. One thread's own.
//
// A flow is active from New until a FIN or RST is seen or its entry is gone. It
// failed when its entry goes before any reply, or when it is TCP and has no
// reply after 5 s; then it stays active, as its client still tries. For its
// server's gauge, not for the figures, a failure is a latency of twice that which is
// known, of 5 s at most, and where none is known. Failures in a row bar the server
// (Gauges::fail()). Of UDP they count for that only once the server has answered some:
// others never do. Whether a server has reset a connection at once, only the entry's
// counters tell: such flows are to be looked at.
//
// A flow's latency is the time from New to the first reply, by the kernel's stamps
// where both reports have one. But New is stamped before the flow waits for us in
// the queue, and reported after. So it is at most the time between the receptions
// and 2 ms, within which reports are read as a rule. It is exact if the flow did
// not wait; else too long by the wait, but by no more than those 2 ms and as much
// as the reply was read late. It is too short only if New was read later than 2 ms
// after it was reported, by what it was later.
//
// Reports get lost when the socket's buffer overflows. Then, at the start and
// now and then, a listing of all entries goes between begin_listing() and
// end_listing(), mingled with newer reports: a flow that is listed but not known
// is taken up, one that is known but not listed is over. Flows of the first
// listing are of an earlier time: active, but neither they, nor their failure, nor
// what they had transferred is counted. Reports of flows that are not known are
// passed over, and counted: such are the hidden entries by which conntrack resolves
// clashes, and what was lost the next listing brings.
//
// A gauge's load is to be the active flows and those on their way: assigned, but
// not reported yet. New changes no gauge, as the flow was on its way before; an
// end settles one. What would go wrong by and by is corrected every second from
// pending = load - active, the flows on their way by the gauge's account:
//  - pending < 0: flows were reported that nobody here had assigned (the kernel's
//    fallback, an earlier engine). The load is lifted to the active flows.
//  - pending was never below n > 0 at any correction of the last 2 s: n were
//    assigned and never came (dropped, or duplicates of others). They are settled.
// What is taken for lost and comes after all makes pending negative, which lifts
// the load again. So the load is exact when nothing is on its way, and wrong by no
// more than what is.
class FlowLedger {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  // Reports of other servers than 1 to server_max are not ours.
  FlowLedger(std::uint32_t server_max, Gauges& gauges, ServerRecords& records);

  // `now` is when the report was received.
  void apply(const FlowReport& report, Instant now);
  // What time brings about; to be called a few times a second.
  void tick(Instant now);
  // Whether a server was barred since the last call.
  bool take_alarm() noexcept { return std::exchange(alarm_, false); }

  // Flows that were reset shortly after their first reply, kToLookAtMax at most, which
  // are to be looked for in conntrack. What is found there is for look_at().
  std::vector<FiveTuple> take_to_look_at() { return std::exchange(to_look_at_, {}); }
  void look_at(const FlowReport& found);

  // Reports were lost, the last of them before `now`: what is read from now on of
  // flows of before is no measure of their latency.
  void lose(Instant now) noexcept { lost_ = now; }

  // To be called before the listing is asked for, and with all reports of before
  // applied. Gives up one that was not ended.
  void begin_listing();
  // REQUIRES: all listed, and what was reported until the listing's end, is applied.
  void end_listing(Instant now);
  void give_up_listing();

  // Whether the flow was opened so shortly ago that its first answer may be on its way.
  bool is_young(std::uint64_t key, Instant now) const noexcept {
    const auto found = flows_.find(key);
    return found != flows_.end() && found->second.witnessed && now - found->second.opened < kYoung;
  }

  // Flows that are known, those included whose end was seen but whose entry is there.
  std::size_t flows() const noexcept { return flows_.size(); }
  // Reports of flows that were not known. Any thread.
  std::uint64_t unknown() const noexcept { return unknown_.read(); }

  static constexpr std::chrono::seconds kAnswerLimit{5};
  static constexpr std::chrono::seconds kCorrectionInterval{1};
  static constexpr std::chrono::seconds kYoung{2};
  static constexpr std::chrono::seconds kResetAtOnce{5};  // after its first packet
  static constexpr std::size_t kToLookAtMax = 32;

 private:
  enum class State : std::uint8_t {
    Active,
    Over,    // by what was reported
    Missing  // by a listing in which it was not
  };
  struct Flow {
    Instant opened;  // when it was first heard of
    std::uint64_t stamp_ns = 0;
    Volume counted;
    ServerId server = 0;
    State state = State::Over;
    std::uint8_t listing = 0;  // the last in or after which it was heard of
    bool witnessed = false;    // by its New
    bool in_total = false;
    bool replied = false;
    bool failed = false;
  };
  struct Watch {  // of a server
    std::uint32_t active = 0;
    std::array<std::int32_t, 3> pending{};  // at the last corrections, newest first
    Instant sampled;                        // its latency
    Conduct conduct;
    bool answers_udp = false;
  };
  using Flows = std::unordered_map<std::uint64_t, Flow>;

  void open(const FlowReport& report, Instant now);
  void take_listed(const FlowReport& report, Instant now);
  void update(Flow& flow, const FlowReport& report, Instant now);
  void destroy(Flows::iterator found, const FlowReport& report, Instant now);
  void drop(Flows::iterator found);
  void pass_over(const FlowReport& report);
  bool is_another(const Flow& flow, const FlowReport& report) const noexcept;
  void settle_contradictions(Instant now);
  Flow& adopt(const FlowReport& report, Instant now);

  void count(Flow& flow, Instant now);
  void activate(Flow& flow);
  void end(Flow& flow, State state);
  void fail(Flow& flow, std::uint8_t protocol, Instant now);
  void judge(ServerId id, void (Conduct::*what)() noexcept);
  void add_volume(Flow& flow, const FlowReport& report);
  void add_latency(const Flow& flow, const FlowReport& report, Instant now);
  void sample(ServerId id, std::uint32_t latency_us, Instant now);
  void fail_unanswered(Instant now);
  void correct_gauges();
  void correct_gauge(ServerId id);
  std::int32_t pending(ServerId id) const;

  const std::uint32_t server_max_;
  Gauges& gauges_;
  ServerRecords& records_;
  Flows flows_;
  std::vector<Watch> watches_;                                // by server
  std::deque<std::pair<Instant, std::uint64_t>> unanswered_;  // TCP flows by age
  Instant next_correction_;
  Tally unknown_;
  Instant lost_;  // when the last loss was over
  bool alarm_ = false;
  std::vector<FiveTuple> to_look_at_;

  std::uint8_t listing_ = 0;  // its number
  bool is_listing_ = false;
  bool was_listed_ = false;  // once at least, to the end
  // What was over before the running listing came to it.
  std::unordered_set<std::uint64_t> over_while_listing_;
  std::vector<FlowReport> contradictions_;  // between it and what had been reported
};

// ---- what should not be there -----------------------------------------------------

// A server that flows must not go to any more, or those that it has answered not: why,
// such as "its server web/a is gone". nullopt: they may.
using WhyStale = std::function<std::optional<std::string>(ServerId, bool replied)>;

// A flow to be deleted, so that its next packet is decided anew.
struct StaleFlow {
  std::uint64_t key = 0;
  FiveTuple tuple;
  std::string reason;
};

// Whether and why the listed flow is to be deleted. UDP alone: a sender that never
// stops keeps its entry for ever, wherever that leads; TCP notices by itself.
std::optional<StaleFlow> find_stale(const FlowReport& listed, const WhyStale& why_stale);

}  // namespace nfsteer
