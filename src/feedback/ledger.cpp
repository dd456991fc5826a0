// The life of each flow, as reports tell it.
#include <algorithm>
#include <cassert>
#include <cmath>

#include "nfsteer/feedback.hpp"

namespace nfsteer {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

// As a rule reports are read so late at most: two of the pauses that the reader makes.
constexpr nanoseconds kReadWithin = std::chrono::milliseconds(2);
// If stamps are so much nearer to each other than the receptions, the reply was not
// read late, but somebody has set the kernel's clock back between them.
constexpr nanoseconds kSetBack = std::chrono::seconds(1);

// A gauge's latency goes up at once and comes down slowly, so that a server that
// was slow a moment ago is not taken for a fast one because of one quick answer
// (the peak EWMA of Twitter's Finagle). With this time constant, but a tenth of
// the way with each sample at least: many samples say more than time.
constexpr double kCalmDown_s = 10;
constexpr double kCalmDownMin = 0.1;

std::uint32_t seconds(FlowLedger::Instant time) noexcept {
  return static_cast<std::uint32_t>(
      duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}

std::uint32_t smoothed(std::uint32_t before_us, std::uint32_t sample_us, nanoseconds elapsed) {
  if (sample_us >= before_us) return sample_us;
  const double elapsed_s = std::chrono::duration<double>(elapsed).count();
  const double way = std::max(kCalmDownMin, 1 - std::exp(-elapsed_s / kCalmDown_s));
  return before_us - static_cast<std::uint32_t>(way * (before_us - sample_us));
}

// The server has answered SYN, then nothing but RST: two or three packets (it may have
// acknowledged what the client sent), none of which is longer than its headers.
bool was_reset_at_once(const FlowReport& report) noexcept {
  if (report.tcp_state != TcpState::Close || !report.volume) return false;
  const std::uint64_t header_bytes = report.tuple.source.family == Family::V4 ? 80 : 100;
  const auto& [packets, bytes] = report.answers;
  return packets >= 2 && packets <= 3 && bytes <= packets * header_bytes;
}

}  // namespace

std::uint64_t flow_key(std::uint32_t id, const FiveTuple& tuple) noexcept {
  return std::uint64_t{id} << 32 | (hash(tuple) & 0xffff'ffff);
}

FlowLedger::FlowLedger(std::uint32_t server_max, Gauges& gauges, ServerRecords& records)
    : server_max_(server_max),
      gauges_(gauges),
      records_(records),
      watches_(std::size_t{server_max} + 1) {}

void FlowLedger::apply(const FlowReport& report, Instant now) {
  using Kind = FlowReport::Kind;
  if (report.server == 0 || report.server > server_max_) return;
  if (report.kind == Kind::New) return open(report, now);
  if (report.kind == Kind::Listed) return take_listed(report, now);
  const auto found = flows_.find(report.key);
  const bool is_known = found != flows_.end() && !is_another(found->second, report);
  if (!is_known) return pass_over(report);
  if (report.kind == Kind::Update) return update(found->second, report, now);
  destroy(found, report, now);
}

// ---- one report -------------------------------------------------------------------

// A flow that is known from a listing alone is the same, and was listed before
// its New was read. Any other has ended, and this was not reported.
void FlowLedger::open(const FlowReport& report, Instant now) {
  const auto found = flows_.find(report.key);
  const bool is_known = found != flows_.end();
  if (is_known && (found->second.witnessed || found->second.server != report.server)) drop(found);
  Flow& flow = adopt(report, now);
  if (flow.state != State::Active) activate(flow);
  flow.witnessed = true;
  flow.opened = now;
  flow.stamp_ns = report.stamp_ns;
  flow.replied = report.seen_reply;
  count(flow, now);
  update(flow, report, now);
}

void FlowLedger::take_listed(const FlowReport& report, Instant now) {
  // Listed before it ended, but read after; the key may already be another flow's.
  if (over_while_listing_.count(report.key) != 0) return;
  const auto found = flows_.find(report.key);
  const bool is_known = found != flows_.end();
  if (is_known && is_another(found->second, report)) return contradictions_.push_back(report);
  Flow& flow = is_known ? found->second : adopt(report, now);
  flow.replied |= report.seen_reply;
  if (!is_known && was_listed_) count(flow, now);
  if (!is_known && !was_listed_) flow.counted = report.volume.value_or(Volume{});
  add_volume(flow, report);
  update(flow, report, now);
}

// Whether what is reported is not this flow, but a later one of the same key.
bool FlowLedger::is_another(const Flow& flow, const FlowReport& report) const noexcept {
  if (flow.server != report.server) return true;
  const bool was_over = flow.state == State::Over;
  const bool goes_on = report.tcp_state != TcpState::None && !is_over(report.tcp_state);
  const bool is_older = report.kind == FlowReport::Kind::Listed && flow.listing == listing_;
  return was_over && goes_on && !is_older;
}

void FlowLedger::update(Flow& flow, const FlowReport& report, Instant now) {
  flow.listing = listing_;
  if (report.seen_reply && !flow.replied) {
    flow.replied = true;
    if (report.tuple.protocol == protocol::kUdp) watches_[flow.server].answers_udp = true;
    if (flow.in_total) judge(flow.server, &Conduct::answer);
    if (flow.witnessed && flow.opened > lost_) add_latency(flow, report, now);
  }
  if (!is_over(report.tcp_state)) {
    if (flow.state == State::Missing) activate(flow);
    return;
  }
  if (!flow.replied) fail(flow, report.tuple.protocol, now);
  const bool ends = flow.replied && flow.in_total && flow.state == State::Active;
  if (ends && report.tcp_state != TcpState::Close) judge(flow.server, &Conduct::finish);
  if (ends && report.tcp_state == TcpState::Close && now - flow.opened < kResetAtOnce &&
      to_look_at_.size() < kToLookAtMax)
    to_look_at_.push_back(report.tuple);
  end(flow, State::Over);
}

// What ended without a report.
void FlowLedger::drop(Flows::iterator found) {
  end(found->second, State::Over);
  flows_.erase(found);
}

void FlowLedger::destroy(Flows::iterator found, const FlowReport& report, Instant now) {
  Flow& flow = found->second;
  add_volume(flow, report);
  if (!flow.replied && !report.seen_reply) fail(flow, report.tuple.protocol, now);
  end(flow, State::Over);
  if (is_listing_) over_while_listing_.insert(report.key);
  flows_.erase(found);
}

void FlowLedger::pass_over(const FlowReport& report) {
  unknown_.add(1);
  const bool is_last = report.kind == FlowReport::Kind::Destroy || is_over(report.tcp_state);
  if (is_listing_ && is_last) over_while_listing_.insert(report.key);
}

// The flow of that key, active if it is new here.
FlowLedger::Flow& FlowLedger::adopt(const FlowReport& report, Instant now) {
  const auto [place, is_new] = flows_.try_emplace(report.key);
  Flow& flow = place->second;
  if (report.tuple.protocol == protocol::kTcp && !report.seen_reply)
    unanswered_.emplace_back(now, report.key);
  if (!is_new) return flow;
  flow.server = report.server;
  flow.opened = now;
  activate(flow);
  return flow;
}

// ---- what becomes of a flow ---------------------------------------------------------

void FlowLedger::count(Flow& flow, Instant now) {
  if (flow.in_total) return;
  flow.in_total = true;
  ServerRecords::Record& record = records_[flow.server];
  record.total.add(1);
  record.last_s.set(seconds(now));
}

void FlowLedger::activate(Flow& flow) {
  flow.state = State::Active;
  records_[flow.server].active.set(++watches_[flow.server].active);
}

void FlowLedger::end(Flow& flow, State state) {
  if (flow.state == State::Active) {
    records_[flow.server].active.set(--watches_[flow.server].active);
    gauges_.settle(flow.server);
  }
  flow.state = state;
}

// To balancers a failure is a slow answer: a server that refuses at once, or never
// answers, must not pass for a fast one, nor for one that is not known. One failure
// among many answers costs little, one after the other soon nearly all.
void FlowLedger::fail(Flow& flow, std::uint8_t protocol, Instant now) {
  if (flow.failed) return;
  flow.failed = true;
  const bool is_sign = protocol != protocol::kUdp || watches_[flow.server].answers_udp;
  if (flow.in_total && is_sign) judge(flow.server, &Conduct::fail);
  if (flow.in_total) records_[flow.server].failed.add(1);
  constexpr auto kMost_us = static_cast<std::uint32_t>(microseconds(kAnswerLimit).count());
  const std::uint32_t known_us = gauges_[flow.server].latency_us.load(std::memory_order_relaxed);
  sample(flow.server, known_us == 0 ? kMost_us : std::min(2 * known_us, kMost_us), now);
}

void FlowLedger::look_at(const FlowReport& found) {
  if (found.server == 0 || found.server > server_max_ || !was_reset_at_once(found)) return;
  judge(found.server, &Conduct::reset);
}

// Flows of an earlier time say nothing of how the server is now.
void FlowLedger::judge(ServerId id, void (Conduct::*what)() noexcept) {
  Conduct& conduct = watches_[id].conduct;
  (conduct.*what)();
  ServerRecords::Record& record = records_[id];
  record.recent_seen.set(conduct.seen());
  record.recent_failed.set(conduct.failed());
  if (!gauges_.fail(id, conduct.failures())) return;
  conduct.forgive();
  alarm_ = true;
}

// A listing may be older than what was reported before it was read.
void FlowLedger::add_volume(Flow& flow, const FlowReport& report) {
  if (!report.volume || report.volume->packets <= flow.counted.packets ||
      report.volume->bytes < flow.counted.bytes)
    return;
  ServerRecords::Record& record = records_[flow.server];
  record.packets.add(report.volume->packets - flow.counted.packets);
  record.bytes.add(report.volume->bytes - flow.counted.bytes);
  flow.counted = *report.volume;
}

void FlowLedger::add_latency(const Flow& flow, const FlowReport& report, Instant now) {
  nanoseconds latency = now - flow.opened;
  constexpr std::uint64_t kStampedMax_ns = std::uint64_t{1} << 62;  // far from overflow
  if (flow.stamp_ns != 0 && report.stamp_ns - flow.stamp_ns < kStampedMax_ns) {
    const nanoseconds stamped(report.stamp_ns - flow.stamp_ns);
    if (latency - stamped < kSetBack) latency = std::min(stamped, latency + kReadWithin);
  }
  constexpr std::int64_t kMax_us = 0xffff'ffff;
  const auto us = static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(duration_cast<microseconds>(latency).count(), 1, kMax_us));
  records_[flow.server].add_latency(us);
  sample(flow.server, us, now);
}

void FlowLedger::sample(ServerId id, std::uint32_t latency_us, Instant now) {
  Gauge& gauge = gauges_[id];
  Watch& watch = watches_[id];
  const std::uint32_t before = gauge.latency_us.load(std::memory_order_relaxed);
  gauge.latency_us.store(smoothed(before, latency_us, now - watch.sampled),
                         std::memory_order_relaxed);
  gauge.sampled_s.store(seconds(now), std::memory_order_relaxed);
  watch.sampled = now;
}

// ---- what time brings about -----------------------------------------------------------

void FlowLedger::tick(Instant now) {
  fail_unanswered(now);
  if (now < next_correction_) return;
  next_correction_ = now + kCorrectionInterval;
  correct_gauges();
}

void FlowLedger::fail_unanswered(Instant now) {
  for (; !unanswered_.empty() && now - unanswered_.front().first >= kAnswerLimit;
       unanswered_.pop_front()) {
    const auto found = flows_.find(unanswered_.front().second);
    if (found == flows_.end()) continue;
    Flow& flow = found->second;
    const bool is_old = now - flow.opened >= kAnswerLimit;  // not a later one of that key
    if (is_old && flow.state == State::Active && !flow.replied) fail(flow, protocol::kTcp, now);
  }
}

void FlowLedger::correct_gauges() {
  for (std::uint32_t id = 1; id <= server_max_; ++id) correct_gauge(static_cast<ServerId>(id));
}

std::int32_t FlowLedger::pending(ServerId id) const {
  const Gauge& gauge = gauges_[id];
  const std::uint32_t load = gauge.assigned.load(std::memory_order_relaxed) -
                             gauge.settled.load(std::memory_order_relaxed);
  return static_cast<std::int32_t>(load - watches_[id].active);
}

void FlowLedger::correct_gauge(ServerId id) {
  auto& latest = watches_[id].pending;
  std::rotate(latest.begin(), latest.end() - 1, latest.end());
  latest.front() = pending(id);
  const std::int32_t least = *std::min_element(latest.begin(), latest.end());
  const std::int32_t wrong = latest.front() < 0 ? latest.front() : std::max(least, 0);
  if (wrong == 0) return;
  gauges_.settle(id, wrong);
  for (std::int32_t& each : latest) each -= wrong;
}

// ---- listings ---------------------------------------------------------------------------

void FlowLedger::begin_listing() {
  give_up_listing();
  ++listing_;
  is_listing_ = true;
}

void FlowLedger::give_up_listing() {
  is_listing_ = false;
  over_while_listing_ = {};
  contradictions_ = {};
}

// A listing may be ahead of what is reported: only now it is sure that the end of
// the earlier flow, and the beginning of the later one, were lost.
void FlowLedger::settle_contradictions(Instant now) {
  for (const FlowReport& report : std::exchange(contradictions_, {})) {
    if (over_while_listing_.count(report.key) != 0) continue;
    const auto found = flows_.find(report.key);
    if (found != flows_.end() && is_another(found->second, report)) drop(found);
    take_listed(report, now);
  }
}

// Who is missing once may be reported to have ended a little later, and is kept
// until the next listing.
void FlowLedger::end_listing(Instant now) {
  assert(is_listing_);
  settle_contradictions(now);
  for (auto at = flows_.begin(); at != flows_.end();) {
    Flow& flow = at->second;
    const bool is_missing = flow.listing != listing_;
    const bool is_missing_again = is_missing && flow.state == State::Missing;
    if (is_missing) end(flow, State::Missing);
    at = is_missing_again ? flows_.erase(at) : std::next(at);
  }
  was_listed_ = true;
  give_up_listing();
}

}  // namespace nfsteer
