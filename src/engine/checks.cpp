#include "checks.hpp"

#include <algorithm>
#include <utility>

namespace nfsteer {
namespace {

// Who has not answered until then is not waited for.
constexpr std::chrono::milliseconds kPatience{10'000};

using Statuses = std::map<CheckTarget, TargetStatus>;

Statuses by_target(std::vector<TargetStatus> list) {
  Statuses statuses;
  for (TargetStatus& each : list) {
    CheckTarget target = each.target;
    statuses.emplace(std::move(target), std::move(each));
  }
  return statuses;
}

const CheckConfig* check_of(const Steering& steering, const GroupConfig& group) {
  if (!group.check) return nullptr;
  const auto found = std::ranges::find(steering.checks(), *group.check, &CheckConfig::name);
  return found == steering.checks().end() ? nullptr : &*found;
}

// A moment of the steady clock by the one that people read.
Time wall_time(Checks::Instant when) {
  const auto ago = std::chrono::steady_clock::now() - when;
  return std::chrono::time_point_cast<Time::duration>(std::chrono::system_clock::now() - ago);
}

FailoverReason reason_of(const HealthEvent& event) {
  const auto* guard = std::get_if<GuardChanged>(&event);
  if (!guard) return FailoverReason::ChecksSkipped;
  return guard->step == GuardChanged::Step::Holds ? FailoverReason::ProberSuspected
                                                  : FailoverReason::ProberTrusted;
}

}  // namespace

Checks::Checks(Steering& steering, std::uint32_t mark, std::function<void()> wake)
    : steering_(steering),
      wake_(std::move(wake)),
      prober_([this](const HealthEvent& event) { report(event); }, mark) {}

Result<void> Checks::follow(Instant now) {
  asked_.clear();
  answered_by_ = now;
  for (const GroupConfig& group : steering_.groups()) {
    const CheckConfig* check = check_of(steering_, group);
    const bool lazy = group.failover.lazy && group.failover.failover == Failover::Probe;
    for (const ServerConfig& server : group.servers) {
      const std::string name = group.name + "/" + server.name;
      const Server* found = steering_.find_server(name);
      const auto target = check ? target_of(*check, server.address, server.port) : std::nullopt;
      if (found && target)
        asked_.push_back({.name = name, .id = found->id, .target = *target, .lazy = lazy});
      else
        steering_.set_check(name, std::nullopt, {}, now);
    }
    if (check && !lazy)
      answered_by_ = std::max<Instant>(answered_by_,
                                       now + std::min(check->interval + check->timeout, kPatience));
  }
  ask();
  look(now);
  if (asked_.empty() || is_running_) return {};
  const auto started = prober_.start();
  is_running_ = started.has_value();
  return started;
}

// Who shares a target is asked with the others.
void Checks::ask() {
  std::map<CheckTarget, WantedTarget> wanted;
  for (const Asked& asked : asked_) {
    WantedTarget& made =
        wanted.try_emplace(asked.target, WantedTarget{asked.target, {}, false}).first->second;
    made.awake |= !asked.lazy;
    if (const auto known = last_.find(to_string(asked.target)); known != last_.end())
      made.last = known->second ? CheckState::Up : CheckState::Down;
  }
  std::vector<WantedTarget> targets;
  for (auto& [target, each] : wanted) targets.push_back(std::move(each));
  prober_.set_targets(steering_.checks(), targets);
}

// In the prober's thread. What a target's state became is among its statuses.
void Checks::report(const HealthEvent& event) {
  {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
  }
  wake_();
}

bool Checks::look(Instant now) {
  const Statuses statuses = by_target(prober_.statuses());
  tell_events();
  bool any = false;
  for (Asked& asked : asked_)
    if (const auto found = statuses.find(asked.target); found != statuses.end())
      any |= tell_state(asked, found->second, now);
  wake_up(statuses);
  return any;
}

void Checks::tell_events() {
  std::vector<HealthEvent> events;
  {
    const std::lock_guard lock(mutex_);
    events.swap(events_);
  }
  for (const HealthEvent& event : events)
    if (!std::holds_alternative<StateChanged>(event))
      steering_.tell(reason_of(event), "checks:", to_string(event));
}

bool Checks::tell_state(Asked& asked, const TargetStatus& status, Instant now) {
  const bool is_known = status.state != CheckState::Unknown;
  const auto is_up = is_known || !status.presumed_up ? std::optional(status.is_up()) : std::nullopt;
  const std::string reason = status.last ? status.last->reason : "not yet asked";
  if (is_up != asked.is_up || reason != asked.reason) {
    asked.is_up = is_up;
    asked.reason = reason;
    steering_.set_check(asked.name, is_up, reason, now);
  }
  if (status.last && status.last->passed && status.last->when != asked.passed) {
    asked.passed = status.last->when;
    steering_.pass_check(asked.name, status.last->when - status.last->took, now);
  }
  if (!is_known) return false;
  const auto [known, is_new] = last_.try_emplace(to_string(asked.target), status.is_up());
  return std::exchange(known->second, status.is_up()) != status.is_up() || is_new;
}

// Who sleeps is asked while its flows fail, and until it is up again.
void Checks::wake_up(const Statuses& statuses) {
  std::map<CheckTarget, bool> awake;
  for (const Asked& asked : asked_)
    awake[asked.target] |= !asked.lazy || steering_.records().is_suspect(asked.id);
  for (const auto& [target, is_awake] : awake) {
    const auto found = statuses.find(target);
    if (found == statuses.end()) continue;
    const bool wanted = is_awake || !found->second.is_up();
    if (wanted != found->second.awake) prober_.set_awake(target, wanted);
  }
}

bool Checks::have_answered(Instant now) const {
  if (asked_.empty() || now >= answered_by_) return true;
  const auto statuses = prober_.statuses();
  return std::ranges::all_of(statuses, [](const TargetStatus& each) {
    return !each.awake || each.state != CheckState::Unknown || !each.skipped.empty();
  });
}

void Checks::describe(Statistics& counted) const {
  if (asked_.empty()) return;
  const Statuses statuses = by_target(prober_.statuses());
  std::map<std::string, const TargetStatus*> found;
  for (const Asked& asked : asked_)
    if (const auto status = statuses.find(asked.target); status != statuses.end())
      found[asked.name] = &status->second;
  for (GroupStatistics& group : counted.groups)
    for (ServerStatistics& server : group.servers) {
      const auto status = found.find(group.name + "/" + server.name);
      if (status == found.end()) continue;
      CheckStatistics& made = server.check.emplace();
      const auto& [last, since] = std::pair(status->second->last, status->second->since);
      made.since = wall_time(since);
      if (last) made.last = wall_time(last->when);
      made.reason = !status->second->skipped.empty() ? status->second->skipped
                    : last                           ? last->reason
                                                     : "not yet asked";
    }
}

}  // namespace nfsteer
