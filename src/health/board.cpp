#include <algorithm>
#include <cassert>

#include "nfsteer/base/mix.hpp"
#include "nfsteer/health.hpp"

namespace nfsteer {
namespace {

using Instant = CheckBoard::Instant;
using Duration = Instant::duration;
using std::chrono::milliseconds;

// A target, and what is known of it.
struct Row {
  TargetStatus status;
  const CheckConfig* check = nullptr;
  std::uint64_t running = 0;  // the number of the probe that runs; 0: none
  Instant started;            // the latest probe
  Instant due;                // the next one, where it is awake and none runs
  // When those that asked began: the latest, the one before, and the first with the
  // latest's outcome.
  Instant last_began, before_began, row_began;
  std::vector<CheckTarget> witnesses;
  Instant called;                     // they were
  bool waits = false;                 // for them
  std::optional<Instant> held_since;  // since it failed in a row

  bool is_failing() const { return status.failures_in_row > 0; }
  // Whether the guard asks it.
  bool counts() const { return status.awake && status.state == CheckState::Up; }
  // The longest from the start of a probe to the next.
  Duration cycle() const { return check->interval * (100 + check->jitter_percent) / 100; }
  // Whether it passed a probe that began then.
  bool passed_between(Instant first, Instant last) const {
    const auto is_between = [&](Instant began) {
      return began >= std::max(first, row_began) && began <= last;
    };
    return is_between(last_began) || is_between(before_began);
  }
};

// A failure that perhaps many share.
struct Suspicion {
  Instant began;                  // the first probe that failed
  Duration took{0};               // a probe, to fail
  std::optional<Duration> cycle;  // in which others begin to fail by it; absent: it does not count
};

// How many of those that are up fail.
struct Share {
  std::size_t up = 0;                       // all
  std::size_t comparable = 0, failing = 0;  // of them, and of these

  bool is_large() const {
    return up >= CheckBoard::kGuardUpMin && failing * 100 >= comparable * CheckBoard::kGuardPercent;
  }
};

struct Guard {
  enum class Mood { Watches, Holds, Believes } mood = Mood::Watches;
  Instant since;  // it holds
  Suspicion suspicion;
};

}  // namespace

class CheckBoard::Rows {
 public:
  explicit Rows(std::uint64_t seed) : random_(seed) {}

  void set_targets(const std::vector<CheckConfig>& checks, const std::vector<WantedTarget>& targets,
                   Instant now);
  void remove(const CheckTarget& target);
  void set_awake(const CheckTarget& target, bool awake, Instant now);

  Instant next_due() const { return due_.empty() ? Instant::max() : due_.begin()->first; }
  std::vector<ProbeTicket> begin_due(Instant now);
  bool is_running(const ProbeTicket& ticket) const;
  std::vector<HealthEvent> finish(const ProbeTicket& ticket, const ProbeResult& result,
                                  Instant now);
  std::vector<TargetStatus> statuses() const;

 private:
  using RowMap = std::map<CheckTarget, Row>;

  double uniform_random() { return uniform(mix(random_ += kGolden)); }
  Duration jittered(milliseconds interval, std::uint32_t percent);
  void make_due(Row& row, Instant due);
  void make_due_within(Row& row, milliseconds interval, Instant now);
  void give_up(Row& row);
  std::set<std::string> take_checks(const std::vector<CheckConfig>& checks);
  void keep_or_add(const WantedTarget& wanted, bool is_changed, Instant now);
  void forget(RowMap::iterator found);

  void skip(Row& row, const std::string& reason);
  void end_skip(Row& row);
  void take(Row& row, const ProbeResult& result, Instant now);
  void change(Row& row, CheckState state, Instant now);
  void plan_next(Row& row, Instant now);

  void call_witnesses(Row& row, Instant now);
  bool has_silent_witness(const Row& row) const;
  Share share(const Suspicion& suspicion, Instant now) const;
  void set_waiting(Row& row, bool waits);
  void fall(Row& row, Instant now);
  void settle(Instant now);
  void watch(Instant now);

  std::map<std::string, CheckConfig> checks_;
  RowMap rows_;
  std::set<std::pair<Instant, CheckTarget>> due_;  // of the rows that have a due probe
  std::map<std::string, std::size_t> skips_;       // targets by reason
  Guard guard_;
  std::size_t waiting_ = 0;  // rows that wait
  std::uint64_t probes_ = 0;
  std::uint64_t random_;
  std::vector<HealthEvent> events_;  // of the finish() under way
};

// ---- targets ------------------------------------------------------------------

// Takes the checks over; returns the names of those that are others now.
std::set<std::string> CheckBoard::Rows::take_checks(const std::vector<CheckConfig>& checks) {
  std::set<std::string> changed;
  for (const CheckConfig& check : checks) {
    const auto [kept, is_new] = checks_.try_emplace(check.name, check);
    if (is_new || kept->second == check) continue;
    kept->second = check;
    changed.insert(check.name);
  }
  return changed;
}

void CheckBoard::Rows::set_targets(const std::vector<CheckConfig>& checks,
                                   const std::vector<WantedTarget>& targets, Instant now) {
  const std::set<std::string> changed = take_checks(checks);
  std::set<CheckTarget> wanted;
  for (const WantedTarget& each : targets) {
    if (wanted.insert(each.target).second)
      keep_or_add(each, changed.contains(each.target.check), now);
  }
  for (auto row = rows_.begin(); row != rows_.end();) {
    const auto found = row++;
    if (!wanted.contains(found->first)) forget(found);
  }
  const auto is_there = [&](const auto& check) {
    return std::any_of(checks.begin(), checks.end(),
                       [&](const CheckConfig& each) { return each.name == check.first; });
  };
  std::erase_if(checks_, [&](const auto& check) { return !is_there(check); });
}

void CheckBoard::Rows::keep_or_add(const WantedTarget& wanted, bool is_changed, Instant now) {
  const auto [found, is_new] = rows_.try_emplace(wanted.target);
  Row& row = found->second;
  if (!is_new) {
    if (is_changed && row.status.awake) {
      give_up(row);
      make_due_within(row, row.check->interval, now);
    }
    return set_awake(wanted.target, wanted.awake, now);
  }
  const auto check = checks_.find(wanted.target.check);
  assert(check != checks_.end());
  row.check = &check->second;
  row.status.target = wanted.target;
  row.status.since = now;
  row.status.awake = wanted.awake;
  row.status.presumed_up = row.check->start != CheckStart::Down;
  if (row.check->start == CheckStart::Last && wanted.last) row.status.state = *wanted.last;
  if (wanted.awake) make_due_within(row, row.check->interval, now);
}

void CheckBoard::Rows::forget(RowMap::iterator found) {
  give_up(found->second);
  end_skip(found->second);
  rows_.erase(found);
}

void CheckBoard::Rows::remove(const CheckTarget& target) {
  const auto found = rows_.find(target);
  if (found != rows_.end()) forget(found);
}

void CheckBoard::Rows::set_awake(const CheckTarget& target, bool awake, Instant now) {
  const auto found = rows_.find(target);
  if (found == rows_.end() || found->second.status.awake == awake) return;
  Row& row = found->second;
  row.status.awake = awake;
  if (awake) return make_due(row, now);
  give_up(row);
  end_skip(row);
  row.status.passes_in_row = row.status.failures_in_row = 0;
  row.last_began = row.before_began = {};
  row.status.held = false;
  row.held_since.reset();
}

// No probe runs or is due.
void CheckBoard::Rows::give_up(Row& row) {
  due_.erase({row.due, row.status.target});
  row.running = 0;
  set_waiting(row, false);
}

std::vector<TargetStatus> CheckBoard::Rows::statuses() const {
  std::vector<TargetStatus> result;
  result.reserve(rows_.size());
  for (const auto& [target, row] : rows_) result.push_back(row.status);
  return result;
}

// ---- when ---------------------------------------------------------------------

Duration CheckBoard::Rows::jittered(milliseconds interval, std::uint32_t percent) {
  const double factor = 1 + (2 * uniform_random() - 1) * percent / 100;
  return std::chrono::duration_cast<Duration>(interval * factor);
}

void CheckBoard::Rows::make_due(Row& row, Instant due) {
  due_.erase({row.due, row.status.target});
  row.due = due;
  due_.emplace(due, row.status.target);
}

void CheckBoard::Rows::make_due_within(Row& row, milliseconds interval, Instant now) {
  make_due(row, now + std::chrono::duration_cast<Duration>(interval * uniform_random()));
}

std::vector<ProbeTicket> CheckBoard::Rows::begin_due(Instant now) {
  std::vector<ProbeTicket> result;
  while (next_due() <= now) {
    Row& row = rows_.at(due_.begin()->second);
    due_.erase(due_.begin());
    row.running = ++probes_;
    row.started = now;
    result.push_back({row.status.target, row.running});
  }
  return result;
}

bool CheckBoard::Rows::is_running(const ProbeTicket& ticket) const {
  const auto found = rows_.find(ticket.target);
  return found != rows_.end() && found->second.running == ticket.number;
}

void CheckBoard::Rows::plan_next(Row& row, Instant now) {
  const TargetStatus& status = row.status;
  const CheckConfig& check = *row.check;
  const milliseconds quick = std::min(check.interval, kQuick);
  milliseconds interval = check.interval;
  if (!status.skipped.empty())
    interval = quick;
  else if (status.state == CheckState::Down)
    interval = row.is_failing() ? check.interval_down : quick;
  else if (row.is_failing())
    interval = quick;
  make_due(row, std::max(now, row.started + jittered(interval, check.jitter_percent)));
}

// ---- what results make of targets -----------------------------------------------

std::vector<HealthEvent> CheckBoard::Rows::finish(const ProbeTicket& ticket,
                                                  const ProbeResult& result, Instant now) {
  if (!is_running(ticket)) return {};
  Row& row = rows_.at(ticket.target);
  row.running = 0;
  if (result.outcome == ProbeOutcome::Skipped) {
    skip(row, result.reason);
  } else {
    end_skip(row);
    take(row, result, now);
  }
  settle(now);
  watch(now);
  plan_next(row, now);
  return std::exchange(events_, {});
}

// Only the first target that is skipped for a reason is worth a word.
void CheckBoard::Rows::skip(Row& row, const std::string& reason) {
  if (row.status.skipped == reason) return;
  end_skip(row);
  row.status.skipped = reason;
  if (++skips_[reason] == 1) events_.push_back(ProbesSkipped{row.status.target, reason});
}

void CheckBoard::Rows::end_skip(Row& row) {
  const auto found = skips_.find(row.status.skipped);
  if (found != skips_.end() && --found->second == 0) skips_.erase(found);
  row.status.skipped.clear();
}

void CheckBoard::Rows::take(Row& row, const ProbeResult& result, Instant now) {
  TargetStatus& status = row.status;
  const bool passed = result.outcome == ProbeOutcome::Passed;
  status.last = {now, passed, result.reason, result.took};
  if (passed) {
    ++status.passes_in_row;
    status.failures_in_row = 0;
    status.held = false;
    row.held_since.reset();
    set_waiting(row, false);
  } else {
    status.passes_in_row = 0;
    ++status.failures_in_row;
  }
  row.before_began = std::exchange(row.last_began, row.started);
  if (status.passes_in_row + status.failures_in_row == 1) row.row_began = row.started;
  switch (status.state) {
    case CheckState::Unknown:
      return change(row, passed ? CheckState::Up : CheckState::Down, now);
    case CheckState::Up:
      if (status.failures_in_row == 1) call_witnesses(row, now);
      if (status.failures_in_row >= row.check->fall) fall(row, now);
      return;
    case CheckState::Down:
      if (status.passes_in_row >= row.check->rise) change(row, CheckState::Up, now);
      return;
  }
}

void CheckBoard::Rows::change(Row& row, CheckState state, Instant now) {
  TargetStatus& status = row.status;
  events_.push_back(StateChanged{status.target, status.state, state, status.last->reason});
  status.state = state;
  status.since = now;
  status.held = false;
}

// ---- the guard ------------------------------------------------------------------

// Others are probed now, so that there is something to compare with.
void CheckBoard::Rows::call_witnesses(Row& row, Instant now) {
  std::vector<Row*> able;
  std::size_t up = 0;
  for (auto& [target, other] : rows_) {
    if (!other.counts()) continue;
    ++up;
    if (!other.is_failing() && other.last_began < row.row_began) able.push_back(&other);
  }
  row.called = now;
  row.witnesses.clear();
  if (up < kGuardUpMin) return;
  for (std::size_t i = 0; i < std::min(able.size(), kWitnesses); ++i) {
    const auto left = static_cast<double>(able.size() - i);
    const auto chosen = i + static_cast<std::size_t>((1 - uniform_random()) * left);
    std::swap(able[i], able[chosen]);
    row.witnesses.push_back(able[i]->status.target);
    if (able[i]->running == 0) make_due(*able[i], now);
  }
}

bool CheckBoard::Rows::has_silent_witness(const Row& row) const {
  return std::any_of(row.witnesses.begin(), row.witnesses.end(), [&](const CheckTarget& witness) {
    const auto found = rows_.find(witness);
    if (found == rows_.end() || !found->second.counts()) return false;
    const TargetStatus& status = found->second.status;
    return status.skipped.empty() && (!status.last || status.last->when < row.called);
  });
}

// Of probes that began since it did, but not so late that a failure would not be known
// yet: passes are known sooner.
Share CheckBoard::Rows::share(const Suspicion& suspicion, Instant now) const {
  Share result;
  for (const auto& [target, row] : rows_) {
    if (!row.counts()) continue;
    ++result.up;
    const Instant known = now - std::min<Duration>(suspicion.took, row.check->timeout);
    if (row.is_failing()) {
      if (row.row_began > known) continue;
      const Duration apart = std::chrono::abs(row.row_began - suspicion.began);
      const bool is_far = suspicion.cycle && apart > std::max(*suspicion.cycle, row.cycle());
      if (!is_far) ++result.failing;
    } else if (!row.passed_between(suspicion.began, known)) {
      continue;
    }
    ++result.comparable;
  }
  return result;
}

void CheckBoard::Rows::set_waiting(Row& row, bool waits) {
  if (waits != row.waits) waits ? ++waiting_ : --waiting_;
  row.waits = waits;
}

// The row has failed as often as makes it Down, if the guard does not hold it.
void CheckBoard::Rows::fall(Row& row, Instant now) {
  TargetStatus& status = row.status;
  set_waiting(row, guard_.mood == Guard::Mood::Watches && has_silent_witness(row) &&
                       now < row.called + row.check->timeout + kQuick);
  if (row.waits) return;
  const Suspicion suspicion{row.row_began, status.last->took, row.cycle()};
  const Share share = this->share(suspicion, now);
  if (guard_.mood == Guard::Mood::Watches && share.is_large() && share.comparable >= kGuardUpMin) {
    guard_ = {Guard::Mood::Holds, row.held_since.value_or(now), suspicion};
    guard_.suspicion.cycle.reset();
    events_.push_back(GuardChanged{GuardChanged::Step::Holds, share.failing, share.comparable});
  }
  if (guard_.mood != Guard::Mood::Holds) return change(row, CheckState::Down, now);
  status.held = true;
  if (!row.held_since) row.held_since = now;
}

// Those whose witnesses have spoken need not wait any more.
void CheckBoard::Rows::settle(Instant now) {
  if (waiting_ == 0) return;
  for (auto& [target, row] : rows_)
    if (row.waits) fall(row, now);
}

void CheckBoard::Rows::watch(Instant now) {
  if (guard_.mood == Guard::Mood::Watches) return;
  const Share share = this->share(guard_.suspicion, now);
  if (guard_.mood == Guard::Mood::Believes) {
    if (share.failing * 100 < share.comparable * kGuardPercent) guard_.mood = Guard::Mood::Watches;
  } else if (!share.is_large()) {
    guard_.mood = Guard::Mood::Watches;
    events_.push_back(GuardChanged{GuardChanged::Step::LetsGo, share.failing, share.comparable});
    // Whoever fails once more goes down then.
    for (auto& [target, row] : rows_) row.status.held = false;
  } else if (now - guard_.since >= kGuardHold) {
    guard_.mood = Guard::Mood::Believes;
    events_.push_back(GuardChanged{GuardChanged::Step::Believes, share.failing, share.comparable});
    for (auto& [target, row] : rows_)
      if (row.status.held) change(row, CheckState::Down, now);
  }
}

// ---- the public class -----------------------------------------------------------

CheckBoard::CheckBoard(std::uint64_t seed) : rows_(std::make_unique<Rows>(seed)) {}
CheckBoard::CheckBoard(CheckBoard&&) noexcept = default;
CheckBoard& CheckBoard::operator=(CheckBoard&&) noexcept = default;
CheckBoard::~CheckBoard() = default;

void CheckBoard::set_targets(const std::vector<CheckConfig>& checks,
                             const std::vector<WantedTarget>& targets, Instant now) {
  rows_->set_targets(checks, targets, now);
}
void CheckBoard::remove(const CheckTarget& target) {
  rows_->remove(target);
}
void CheckBoard::set_awake(const CheckTarget& target, bool awake, Instant now) {
  rows_->set_awake(target, awake, now);
}
Instant CheckBoard::next_due() const noexcept {
  return rows_->next_due();
}
std::vector<ProbeTicket> CheckBoard::begin_due(Instant now) {
  return rows_->begin_due(now);
}
bool CheckBoard::is_running(const ProbeTicket& ticket) const {
  return rows_->is_running(ticket);
}
std::vector<HealthEvent> CheckBoard::finish(const ProbeTicket& ticket, const ProbeResult& result,
                                            Instant now) {
  return rows_->finish(ticket, result, now);
}
std::vector<TargetStatus> CheckBoard::statuses() const {
  return rows_->statuses();
}

}  // namespace nfsteer
