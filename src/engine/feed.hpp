// The thread that hears of flows from conntrack.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "losses.hpp"
#include "nfsteer/base/fd.hpp"
#include "nfsteer/base/tally.hpp"
#include "nfsteer/feedback.hpp"
#include "nfsteer/netlink.hpp"

namespace nfsteer {

struct FeedCounts {
  std::uint64_t flows = 0;     // that are known now
  std::uint64_t events = 0;    // that were read
  std::uint64_t overruns = 0;  // of the socket's buffer
  std::uint64_t resyncs = 0;   // whole listings because of them
  std::uint64_t deleted = 0;   // stale flows
  std::uint64_t unknown = 0;   // reports of flows that were not known
  std::uint64_t broken = 0;    // messages that were no events
};

// Keeps records and gauges by what conntrack tells, and deletes the flows that
// should not be there any more. Lists all flows at its start, after a loss, every
// kListInterval and when asked to; where that failed, again after kResyncInterval.
// Where conntrack cannot be heard, which is logged once, all figures stay as they
// are and nothing else is the worse for it. Gauges and records outlive it. What is
// public is for the control thread.
class Feed {
 public:
  static constexpr std::chrono::seconds kListInterval{30};

  // `why_stale` is called by the thread of the feed, and so is `alarm`, when a server was
  // barred as its flows failed. `buffer` is the socket's.
  Feed(const MarkLayout& layout, Gauges& gauges, ServerRecords& records, WhyStale why_stale,
       std::function<void()> alarm, std::size_t buffer = netlink::ConntrackEvents::kBuffer);
  ~Feed();  // stops

  void start();
  void stop();

  // Looks for stale flows and, but in a dry run, deletes them. Waits for a listing,
  // for kReconcileLimit at most; after that none is deleted for it.
  Result<std::vector<StaleFlow>> reconcile(bool dry_run);
  // The same without waiting: servers are in another state.
  void reconcile_soon() noexcept;

  FeedCounts counts() const noexcept;

 private:
  using Clock = std::chrono::steady_clock;
  using Stale = std::vector<StaleFlow>;
  struct Request {
    bool dry_run = false;
    std::promise<Result<Stale>> answer;
    // Nobody waits for the answer any more; set by who waited.
    std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
  };
  static constexpr std::chrono::seconds kReconcileLimit{4};  // clients wait for 5 s
  // Between two listings, after a loss or where the first one failed.
  static constexpr std::chrono::seconds kResyncInterval{1};

  void run();
  void serve();
  bool may_pause();
  void wait_for_events();
  void drain();
  void sound_alarm();
  void list_if_due();
  void answer_requests();
  void end_requests(const std::string& why);
  void answer(Request& request);
  // `spares_young`: what was opened just now is not among the stale.
  Result<Stale> list(bool spares_young);
  Result<Stale> list_whole(bool spares_young);
  Result<bool> list_once(Stale& stale, bool spares_young);
  void remove(const Stale& stale);
  void wake() const noexcept;

  const MarkLayout layout_;
  const WhyStale why_stale_;
  const std::function<void()> alarm_;
  const std::size_t buffer_;
  const Fd woken_;  // an eventfd
  std::atomic<bool> stop_{false};
  std::atomic<bool> is_wanted_{false};  // a listing, soon
  Tally flows_, read_, overruns_, resyncs_, deleted_, broken_;

  std::mutex mutex_;
  std::vector<Request> requests_;  // guarded by mutex_
  std::string ended_;  // guarded by mutex_: what requests are told; empty: there is a thread

  // The thread's own.
  FlowLedger ledger_;
  std::optional<netlink::ConntrackEvents> events_;
  Losses losses_;
  bool has_failed_ = false;  // the last listing, and it was said
  bool has_young_ = false;   // the listing, among the flows that are stale
  bool is_stamped_ = false;  // the last event was
  bool is_busy_ = false;     // in the second before
  std::uint64_t read_before_ = 0;
  Clock::time_point second_begun_, listed_, list_due_;

  std::thread thread_;
};

}  // namespace nfsteer
