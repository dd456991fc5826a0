#include <algorithm>
#include <cassert>

#include "nfsteer/base/text.hpp"
#include "nfsteer/failover.hpp"

namespace nfsteer {
namespace {

// Of a pool of so many servers, how many may be ejected at a time: a tenth, one at least.
std::size_t ejected_max(std::size_t servers) {
  return std::max<std::size_t>(servers / 10, 1);
}

std::string percent(double share) {
  return format("{:.0f} %", share * 100);
}

// "tier 1" or "tier 1 (70 %), tier 2 (30 %)".
std::string tiers_of(const TierPlan& plan) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < plan.shares.size(); ++i)
    if (plan.shares[i] > 0) texts.push_back(format("tier {} ({})", i + 1, percent(plan.shares[i])));
  return texts.empty() ? "no server" : fmt::to_string(join(texts, ", "));
}

}  // namespace

void FailoverBoard::set_pools(std::vector<Pool> pools, Instant now) {
  std::map<std::uint64_t, State> states;
  std::vector<TierPlan> plans(pools.size());
  for (std::size_t i = 0; i < pools.size(); ++i) {
    const auto is_same = [&](const Pool& each) {
      return each.group == pools[i].group && each.family == pools[i].family;
    };
    const auto before = std::ranges::find_if(pools_, is_same);
    if (before != pools_.end())
      plans[i] = std::move(plans_[static_cast<std::size_t>(before - pools_.begin())]);
    for (const Server& server : pools[i].servers) {
      State& state = states[server.identity];
      if (const auto known = states_.find(server.identity); known != states_.end())
        state = std::move(known->second);
      state.pool = i;
    }
  }
  pools_ = std::move(pools);
  states_ = std::move(states);
  plans_ = std::move(plans);
  changed_.clear();
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    plan_pool(i);
    changed_.insert(i);
  }
  advance(now);
}

void FailoverBoard::set_check(std::uint64_t identity, std::optional<bool> is_up,
                              const std::string& reason, Instant now) {
  const auto found = states_.find(identity);
  if (found == states_.end()) return;
  State& state = found->second;
  const bool was_up = state.is_up.value_or(true);
  state.is_up = is_up;
  state.reason = reason;
  const std::string& name = server_of(identity, state).name;
  if (was_up && is_up == false)
    tell(FailoverReason::CheckFailed, name, format("is down: {}", reason));
  if (!was_up && is_up != false)
    tell(FailoverReason::CheckPassed, name, is_up ? format("is up: {}", reason) : "has no check");
  plan_pool(state.pool);
  advance(now);
}

void FailoverBoard::pass(std::uint64_t identity, Instant when, Instant now) {
  const auto found = states_.find(identity);
  if (found == states_.end() || !found->second.is_ejected) return;
  if (when > found->second.ejection.begun()) found->second.ejection.end(now);
  advance(now);
}

void FailoverBoard::fail(std::uint64_t identity, std::uint32_t failures, Instant now) {
  advance(now);
  const auto found = states_.find(identity);
  if (found == states_.end()) return;
  State& state = found->second;
  const Pool& pool = pools_[state.pool];
  const Server& server = server_of(identity, state);
  if (!server.wanted || !is_healthy(pool, server)) return;
  const std::string failed = counted(failures, "flow", "flows in a row");
  if (const auto why = why_not_eject(pool, identity)) {
    const bool is_last = *why == FailoverReason::LastUsable;
    return tell(*why, server.name,
                format("is not ejected though {} failed: {}", failed,
                       is_last ? "no other of its group is usable" : "too many are already"));
  }
  state.ejection.begin(now);
  state.is_ejected = true;
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(state.ejection.until() - now);
  tell(FailoverReason::Ejected, server.name,
       format("is ejected for {} s: {} failed", seconds.count(), failed));
  plan_pool(state.pool);
}

void FailoverBoard::fail_back(const std::string& group) {
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    if (pools_[i].group != group) continue;
    floors_.erase({group, pools_[i].family});
    plan_pool(i);
  }
}

FailoverBoard::Instant FailoverBoard::advance(Instant now) {
  Instant next = Instant::max();
  for (auto& [identity, state] : states_) {
    if (!state.is_ejected) continue;
    if (state.ejection.is_on(now))
      next = std::min(next, state.ejection.until());
    else
      end_ejection(identity, state);
  }
  return next;
}

ServerHealth FailoverBoard::health(std::uint64_t identity) const {
  const auto found = states_.find(identity);
  if (found == states_.end()) return {};
  const State& state = found->second;
  return {state.is_up, state.reason, state.is_ejected, state.ejection.times(),
          state.ejection.until()};
}

// ---- what is inside ---------------------------------------------------------------

const FailoverBoard::Server& FailoverBoard::server_of(std::uint64_t identity,
                                                      const State& state) const {
  const auto found = std::ranges::find(pools_[state.pool].servers, identity, &Server::identity);
  assert(found != pools_[state.pool].servers.end());
  return *found;
}

bool FailoverBoard::is_healthy(const Pool& pool, const Server& server) const {
  const State& state = states_.at(server.identity);
  if (pool.config.failover == Failover::None) return true;
  return state.is_up.value_or(true) && !state.is_ejected;
}

void FailoverBoard::end_ejection(std::uint64_t identity, State& state) {
  state.is_ejected = false;
  tell(FailoverReason::Returned, server_of(identity, state).name, "is back from its ejection");
  plan_pool(state.pool);
}

std::optional<FailoverReason> FailoverBoard::why_not_eject(const Pool& pool,
                                                           std::uint64_t identity) const {
  std::size_t ejected = 0;
  bool is_last = true;
  for (const Server& server : pool.servers) {
    if (states_.at(server.identity).is_ejected) ++ejected;
    const bool is_other = server.identity != identity;
    if (is_other && server.wanted && is_healthy(pool, server)) is_last = false;
  }
  if (is_last) return FailoverReason::LastUsable;
  if (ejected >= ejected_max(pool.servers.size())) return FailoverReason::EjectionLimit;
  return std::nullopt;
}

void FailoverBoard::plan_pool(std::size_t index) {
  const Pool& pool = pools_[index];
  std::vector<TierMember> members;
  for (const Server& server : pool.servers)
    members.push_back({server.tier, server.weight, server.wanted, is_healthy(pool, server)});
  const std::pair key(pool.group, pool.family);
  const auto floor = floors_.find(key);
  TierPlan plan = plan_tiers(members, pool.config, floor == floors_.end() ? 0 : floor->second);
  if (pool.config.fail_back)
    floors_.erase(key);
  else if (const auto first = plan.first())
    floors_[key] = *first;
  if (plan == plans_[index]) return;
  tell_plan(pool, plans_[index], plan);
  plans_[index] = std::move(plan);
  changed_.insert(index);
}

void FailoverBoard::tell_plan(const Pool& pool, const TierPlan& before, const TierPlan& after) {
  if (after.has_panic() && !before.has_panic())
    tell(FailoverReason::Panic, pool.group,
         format("panics: less than {} % of its weight is usable, so health is ignored",
                pool.config.panic_percent));
  if (!after.has_panic() && before.has_panic())
    tell(FailoverReason::PanicOver, pool.group, "has left its panic");
  if (!before.shares.empty() && before.shares != after.shares && after.shares.size() > 1)
    tell(FailoverReason::Tier, pool.group, format("sends flows to {}", tiers_of(after)));
}

void FailoverBoard::tell(FailoverReason reason, const std::string& subject, std::string text) {
  ++counts_[static_cast<std::size_t>(reason)];
  events_.push_back({reason, subject, std::move(text)});
}

}  // namespace nfsteer
