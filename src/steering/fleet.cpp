#include "fleet.hpp"

#include <algorithm>

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

constexpr Family kFamilies[] = {Family::V4, Family::V6};

std::uint32_t apply(const WeightOverride& override, std::uint32_t weight) {
  const std::uint64_t made =
      override.is_percent ? std::uint64_t{weight} * override.value / 100 : override.value;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(made, kWeightMin, kWeightMax));
}

}  // namespace

void Fleet::enlist(const Snapshot& snapshot, Instant now, Time clock) {
  stand(snapshot);
  set_pools(snapshot, now);
  close_servers();
  uptimes_.enlist(snapshot, clock, [this](const Server& server) { return takes(server); });
}

void Fleet::set_overrides(const Snapshot& snapshot, Overrides overrides, Instant now, Time clock) {
  overrides_ = std::move(overrides);
  enlist(snapshot, now, clock);
}

Fleet::Instant Fleet::advance(Instant now) {
  for (const Stand& stand : stands_) {
    if (!stand.is_watched || !gauges_.has_failed(stand.server->id)) continue;
    board_.fail(stand.server->identity, gauges_.patience(stand.server->id), now);
    gauges_.close(stand.server->id, !takes(*stand.server));
    gauges_.forgive(stand.server->id);
  }
  return board_.advance(now);
}

std::set<std::size_t> Fleet::take_changed(const Snapshot& snapshot, Time clock) {
  std::set<std::size_t> groups;
  for (const std::size_t pool : board_.take_changed()) groups.insert(pool / 2);
  if (groups.empty()) return groups;
  close_servers();
  uptimes_.enlist(snapshot, clock, [this](const Server& server) { return takes(server); });
  return groups;
}

// ---- what people set ----------------------------------------------------------------

void Fleet::stand(const Snapshot& snapshot) {
  stands_.assign(snapshot.servers.size(), {});
  for (std::size_t g = 0; g < snapshot.groups.size(); ++g)
    for (const Family family : kFamilies) {
      const Group& group = snapshot.groups[g];
      const Pool& pool = group.pool(family);
      for (const Server& server : pool.servers) {
        stands_[server.id] = stand_of(group, server);
        stands_[server.id].pool = pool_of(g, family);
        stands_[server.id].member = static_cast<std::size_t>(&server - pool.servers.data());
        gauges_.set_patience(server.id, patience(group.failover));
      }
      const auto tiers = tiers_of(pool);
      for (std::size_t tier = 0; tier < tiers.size(); ++tier)
        for (const Server* server : tiers[tier]) stands_[server->id].tier = tier;
    }
}

Fleet::Stand Fleet::stand_of(const Group& group, const Server& server) const {
  Stand stand;
  stand.server = &server;
  stand.state = server.state;
  stand.weight = server.weight;
  stand.is_watched = patience(group.failover) > 0;
  const auto set = overrides_.servers.find(format("{}/{}", group.name, server.name));
  if (set == overrides_.servers.end()) return stand;
  stand.state = set->second.state.value_or(stand.state);
  if (set->second.weight) stand.weight = apply(*set->second.weight, stand.weight);
  return stand;
}

const Algorithm& Fleet::algorithm_of(const Group& group) const {
  const auto set = overrides_.algorithms.find(group.name);
  const Algorithm* other =
      set == overrides_.algorithms.end() ? nullptr : find_algorithm(set->second);
  return other ? *other : *find_algorithm(group.algorithm);
}

// ---- how they are -------------------------------------------------------------------

void Fleet::set_pools(const Snapshot& snapshot, Instant now) {
  std::vector<FailoverBoard::Pool> pools;
  for (const Group& group : snapshot.groups)
    for (const Family family : kFamilies) {
      FailoverBoard::Pool& pool = pools.emplace_back();
      pool.group = group.name;
      pool.family = family;
      pool.config = group.failover;
      for (const Server& server : group.pool(family).servers) {
        const Stand& stand = stands_[server.id];
        pool.servers.push_back({server.identity, format("{}/{}", group.name, server.name),
                                stand.tier, static_cast<double>(stand.weight),
                                stand.state == ServerState::Up});
      }
    }
  board_.set_pools(std::move(pools), now);
}

// What is remembered of a flow must not bring it to a server that takes none.
void Fleet::close_servers() {
  for (const Stand& stand : stands_)
    if (stand.server) gauges_.close(stand.server->id, !takes(*stand.server));
}

bool Fleet::takes(const Server& server) const {
  const Stand& stand = stands_[server.id];
  return board_.plan(stand.pool).takes[stand.member];
}

Standing Fleet::standing_of(const Group& group, const Server& server, Time clock) const {
  if (takes(server)) return {weight_of(server), uptimes_.portion(group, server, clock)};
  if (state_of(server) != ServerState::Up) return {weight_of(server), 0, name(state_of(server))};
  const ServerHealth health = board_.health(server.identity);
  return {weight_of(server), 0, health.is_ejected ? "ejected" : "down: " + health.reason};
}

LineupPlan Fleet::plan(const Snapshot& snapshot, std::size_t group, Family family,
                       Time clock) const {
  const Group& of = snapshot.groups[group];
  const TierPlan& tiers = plan_of(group, family);
  return {[this, &of, clock](const Server& server) { return standing_of(of, server, clock); },
          tiers.shares, tiers.has_panic()};
}

std::shared_ptr<const Lineup> Fleet::line_up(const Snapshot& snapshot, std::size_t group,
                                             Time clock) const {
  const Group& of = snapshot.groups[group];
  return make_lineup(snapshot, of, algorithm_of(of), plan(snapshot, group, Family::V4, clock),
                     plan(snapshot, group, Family::V6, clock));
}

}  // namespace nfsteer
