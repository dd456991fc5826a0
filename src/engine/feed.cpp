#include "feed.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <map>

#include "nfsteer/base/log.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

// So many batches of events are read at once, at most, before anything else is
// looked after; a tenth of a second's work.
constexpr int kBatchesMax = 1'000;
// So many flows are deleted before their ends are read, so as not to fill the buffer.
constexpr std::size_t kDeletedAtOnce = 1'000;
constexpr int kListAttempts = 5;

void announce(const std::vector<netlink::ConntrackSetting>& settings) {
  for (const auto& [name, purpose, problem] : settings)
    if (problem.empty())
      log::info("set {} = 1, for {}", name, purpose);
    else
      log::warning("no {}: {} = 1 cannot be set: {}", purpose, name, problem);
}

// One line, also of thousands of flows.
void announce(const std::vector<StaleFlow>& stale, std::size_t deleted) {
  constexpr std::size_t kReasonsMax = 5;
  std::map<std::string, std::size_t> reasons;
  for (const StaleFlow& flow : stale) ++reasons[flow.reason];
  std::vector<std::string> texts;
  for (const auto& [reason, flows] : reasons) texts.push_back(format("{} ({})", reason, flows));
  if (texts.size() > kReasonsMax) {
    texts.resize(kReasonsMax);
    texts.push_back("...");
  }
  log::info("{} deleted from conntrack, to be decided anew: {}",
            counted(deleted, "UDP flow", "UDP flows"), fmt::to_string(join(texts, ", ")));
}

}  // namespace

Feed::Feed(const MarkLayout& layout, Gauges& gauges, ServerRecords& records, WhyStale why_stale,
           std::function<void()> alarm, std::size_t buffer)
    : layout_(layout),
      why_stale_(std::move(why_stale)),
      alarm_(std::move(alarm)),
      buffer_(buffer),
      woken_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      ended_("conntrack is not heard yet"),
      ledger_(layout.server_max(), gauges, records) {}

Feed::~Feed() {
  stop();
}

void Feed::start() {
  ended_.clear();
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "conntrack");
}

void Feed::stop() {
  stop_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
}

void Feed::wake() const noexcept {
  ::eventfd_write(woken_.get(), 1);
}

Result<Feed::Stale> Feed::reconcile(bool dry_run) {
  Request request;
  request.dry_run = dry_run;
  auto answer = request.answer.get_future();
  const auto cancelled = request.cancelled;
  {
    const std::lock_guard lock(mutex_);
    if (!ended_.empty()) return fail(ended_);
    requests_.push_back(std::move(request));
  }
  wake();
  if (answer.wait_for(kReconcileLimit) == std::future_status::ready) return answer.get();
  *cancelled = true;
  return fail(format("conntrack was not listed within {} s", kReconcileLimit.count()));
}

void Feed::reconcile_soon() noexcept {
  is_wanted_ = true;
  wake();
}

FeedCounts Feed::counts() const noexcept {
  return {flows_.read(),   read_.read(),      overruns_.read(), resyncs_.read(),
          deleted_.read(), ledger_.unknown(), broken_.read()};
}

// ---- the thread ---------------------------------------------------------------

void Feed::run() {
  auto events = netlink::ConntrackEvents::open(layout_, buffer_);
  if (!events) {
    log::warning("the figures of servers are not kept: {}", events.error().message);
    return end_requests(events.error().message);
  }
  events_ = std::move(*events);
  announce(netlink::prepare_conntrack());
  serve();
  end_requests("the engine stops");
}

void Feed::serve() {
  while (!stop_) {
    list_if_due();
    answer_requests();
    ledger_.tick(Clock::now());
    sound_alarm();
    wait_for_events();
    drain();
    flows_.set(ledger_.flows());
  }
}

// Whether events may wait for a moment, to be read many at a time: who sends one
// then need not wake anybody, and reading it costs a half to a third. Without stamps
// the time of reading is what latencies are measured by, so only where it must be.
bool Feed::may_pause() {
  constexpr std::uint64_t kBusy = 20'000;  // events a second
  const Clock::time_point now = Clock::now();
  if (now - second_begun_ >= std::chrono::seconds(1)) {
    is_busy_ = read_.read() - read_before_ > kBusy;
    read_before_ = read_.read();
    second_begun_ = now;
  }
  return is_stamped_ || is_busy_;
}

void Feed::wait_for_events() {
  constexpr int kWait_ms = 200, kPause_ms = 1;
  pollfd ready[] = {{woken_.get(), POLLIN, 0}, {events_->fd(), POLLIN, 0}};
  if (may_pause()) ::poll(ready, 1, kPause_ms);
  ::poll(ready, 2, kWait_ms);
  eventfd_t wakes;
  ::eventfd_read(woken_.get(), &wakes);
}

void Feed::drain() {
  bool is_empty = false;
  for (int i = 0; i < kBatchesMax && !is_empty; ++i) {
    const auto reports = events_->read();
    const Clock::time_point now = Clock::now();
    is_empty = reports.empty();
    if (losses_.take(events_->overruns(), is_empty)) ledger_.lose(now);
    for (const FlowReport& report : reports) ledger_.apply(report, now);
    if (!is_empty) is_stamped_ = reports.back().stamp_ns != 0;
    read_.add(reports.size());
    sound_alarm();
  }
  overruns_.set(events_->overruns());
  broken_.set(events_->broken());
}

void Feed::sound_alarm() {
  for (const FiveTuple& tuple : ledger_.take_to_look_at())
    if (const auto found = netlink::find_flow(tuple, layout_)) ledger_.look_at(*found);
  if (ledger_.take_alarm()) alarm_();
}

// What is wanted soon comes once in kResyncInterval, too.
void Feed::list_if_due() {
  const Clock::time_point now = Clock::now();
  const bool is_soon = losses_.needs_listing() || is_wanted_;
  if (!(is_soon && now - listed_ >= kResyncInterval) && now < list_due_) return;
  is_wanted_ = false;
  const auto stale = list(true);
  if (stale) return remove(*stale);
  if (!stop_ && !std::exchange(has_failed_, true))
    log::warning("the figures of servers may be wrong: {}", stale.error().message);
}

void Feed::answer_requests() {
  std::vector<Request> requests;
  {
    const std::lock_guard lock(mutex_);
    requests.swap(requests_);
  }
  for (Request& request : requests) answer(request);
}

void Feed::answer(Request& request) {
  if (*request.cancelled) return;
  auto stale = list(false);
  if (stale && !request.dry_run && !*request.cancelled) remove(*stale);
  request.answer.set_value(std::move(stale));
}

void Feed::end_requests(const std::string& why) {
  const std::lock_guard lock(mutex_);
  ended_ = "conntrack is not heard: " + why;
  for (Request& request : requests_) request.answer.set_value(fail(ended_));
  requests_.clear();
}

// ---- listings -------------------------------------------------------------------

Result<Feed::Stale> Feed::list(bool spares_young) {
  auto stale = list_whole(spares_young);
  listed_ = Clock::now();
  list_due_ = listed_ + (!stale       ? kResyncInterval
                         : has_young_ ? FlowLedger::kYoung
                                      : kListInterval);
  has_young_ = false;
  if (stale) has_failed_ = false;
  return stale;
}

Result<Feed::Stale> Feed::list_whole(bool spares_young) {
  for (int i = 0; i < kListAttempts && !stop_; ++i) {
    Stale stale;
    const auto is_whole = list_once(stale, spares_young);
    if (!is_whole) return tl::unexpected(is_whole.error());
    if (*is_whole) return stale;
  }
  return fail(stop_ ? "the engine stops" : "conntrack changes too fast to be listed");
}

// False: flows may be missing in it, so that it was for nothing.
Result<bool> Feed::list_once(Stale& stale, bool spares_young) {
  drain();
  const bool is_resync = losses_.needs_listing();
  losses_.begin_listing();
  ledger_.begin_listing();
  auto listing = netlink::FlowListing::begin(layout_);
  Result<bool> has_more = true;
  while (listing && has_more && *has_more && !stop_) {
    has_more = listing->next();
    const Clock::time_point now = Clock::now();
    for (const FlowReport& flow : listing->flows()) {
      ledger_.apply(flow, now);
      auto found = find_stale(flow, why_stale_);
      if (!found) continue;
      // Without its entry the answer that may be on its way would lead nowhere.
      if (spares_young && ledger_.is_young(flow.key, now))
        has_young_ = true;
      else
        stale.push_back(std::move(*found));
    }
    drain();
  }
  const bool is_whole = listing && has_more && !*has_more && !listing->was_interrupted();
  if (is_whole) {
    ledger_.end_listing(Clock::now());
    losses_.end_listing();
    if (is_resync) resyncs_.add(1);
  } else {
    ledger_.give_up_listing();
  }
  if (!listing) return tl::unexpected(listing.error());
  if (!has_more) return tl::unexpected(has_more.error());
  return is_whole;
}

void Feed::remove(const Stale& stale) {
  if (stale.empty()) return;
  std::size_t deleted = 0;
  for (const StaleFlow& flow : stale) {
    if (const auto gone = netlink::delete_flow(flow.tuple, flow_id(flow.key)); !gone) {
      log::warning("{}", gone.error().message);
      break;
    }
    if (++deleted % kDeletedAtOnce == 0) drain();
  }
  deleted_.add(deleted);
  announce(stale, deleted);
}

}  // namespace nfsteer
