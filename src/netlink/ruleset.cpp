// What of a snapshot the kernel's table has to know.
#include <algorithm>
#include <map>
#include <string_view>

#include "nfsteer/base/text.hpp"
#include "nfsteer/netlink.hpp"
#include "ranges.hpp"

namespace nfsteer::netlink {
namespace {

// More ranges than this cost more memory and time in the kernel than the flows
// that they keep out of the queues: then all are queued.
constexpr std::size_t kScopeRangesMax = 65'536;

bool has_hook(const EngineConfig& engine, Hook hook) {
  return std::find(engine.hooks.begin(), engine.hooks.end(), hook) != engine.hooks.end();
}

std::vector<Ruleset::Server> list_servers(const Snapshot& snapshot) {
  std::vector<Ruleset::Server> servers;
  for (std::size_t id = 0; id < snapshot.servers.size(); ++id) {
    const Server* server = snapshot.servers[id];
    if (server == nullptr) continue;
    const Group& group = snapshot.groups[snapshot.server_groups[id]];
    servers.push_back(
        {server->id, group.name + "/" + server->name, server->address, server->port, group.snat});
  }
  return servers;
}

// ---- scope ------------------------------------------------------------------

using Prefixes = std::vector<Prefix>;

constexpr Prefix everything(Family family) {
  return {family == Family::V4 ? Address::v4(0) : Address::v6(0, 0), 0};
}

void add_everything(Prefixes& destinations) {
  for (const Family family : {Family::V4, Family::V6}) destinations.push_back(everything(family));
}

// All that the group can take.
void add_everything_of(const Group& group, Prefixes& destinations) {
  for (const Family family : {Family::V4, Family::V6})
    if (group.is_usable(family)) destinations.push_back(everything(family));
}

// What may match: what the criterion excludes may be among it.
void add_destinations(const Match& match, Prefixes& destinations) {
  const auto daddr = std::find_if(match.begin(), match.end(), [](const Criterion& criterion) {
    return criterion.field->name == std::string_view("daddr");
  });
  if (daddr == match.end() || daddr->any.empty()) return add_everything(destinations);
  for (const auto& value : daddr->any) destinations.push_back(std::get<Prefix>(value));
}

void add_destinations(const Policy& policy, Prefixes& destinations) {
  if (policy.match.empty()) add_everything(destinations);
  for (const Match& match : policy.match) add_destinations(match, destinations);
}

// The destinations of all that the engine may decide, or has to count.
Prefixes destinations(const Snapshot& snapshot) {
  Prefixes all;
  for (const Policy& policy : snapshot.policies) add_destinations(policy, all);
  for (const Table& table : snapshot.tables) {
    for (const Route& route : table.routes()) all.push_back(route.prefix);
    if (const auto group = table.default_group()) add_everything_of(snapshot.groups[*group], all);
  }
  if (const OptionalIndex group = snapshot.no_route.group)
    add_everything_of(snapshot.groups[*group], all);
  else if (snapshot.no_route.action != Action::Accept)
    add_everything(all);
  return all;
}

std::vector<Ruleset::ScopeRange> scope(const Snapshot& snapshot) {
  const Prefixes all = destinations(snapshot);
  std::vector<Ruleset::ScopeRange> scope;
  for (const Family family : {Family::V4, Family::V6}) {
    Prefixes own;
    std::copy_if(all.begin(), all.end(), std::back_inserter(own),
                 [family](const Prefix& prefix) { return prefix.address.family == family; });
    auto ranges = cover(own);
    if (ranges.size() > kScopeRangesMax) ranges = cover({everything(family)});
    scope.insert(scope.end(), ranges.begin(), ranges.end());
  }
  return scope;
}

// ---- fallback ---------------------------------------------------------------

// One of those among whom a route's flows are shared.
struct Share {
  Action action = Action::Steer;
  std::uint32_t group = 0;  // index in the snapshot's groups; with Action::Steer
  std::uint32_t weight = 1;

  friend auto operator<=>(const Share&, const Share&) = default;
};
using Shares = std::vector<Share>;

// Into so many parts go the flows that are shared: weights are exact to a millionth.
constexpr std::uint64_t kParts = 1'000'000;

// What decide() would do with the flows of one family that no policy matches.
class Fallback {
 public:
  // As decide() does, an earlier table goes before a later one, and in it a
  // longer prefix, then a lower metric, before others.
  Fallback(const Snapshot& snapshot, Family family) : snapshot_(snapshot), family_(family) {
    std::size_t rank = snapshot.tables.size();
    for (const Table& table : snapshot.tables) {
      claim(table, rank);
      if (const auto group = table.default_group())
        claim(everything(family), rank, {{Action::Steer, *group}});
      --rank;
    }
    // A policy may accept what would be refused here: the way to this machine
    // itself must not end with the engine.
    const auto& [action, group, table] = snapshot.no_route;
    const bool refuses = action == Action::Drop || action == Action::Reject;
    if (refuses && !snapshot.policies.empty()) return;
    claim(everything(family), 0, {{action, group ? *group : 0}});
  }

  void write(Ruleset& ruleset) const {
    std::map<std::size_t, std::size_t> groups;  // index in the ruleset, by number of the shares
    for (Ruleset::FallbackRange range : settle(claims_)) {
      const Shares& shares = *shares_[range.group];
      const bool is_let_go = shares.size() == 1 && shares.front().action == Action::Accept;
      if (is_let_go) continue;  // as all that no range has
      const auto [group, is_new] = groups.try_emplace(range.group, ruleset.fallback_groups.size());
      if (is_new) ruleset.fallback_groups.push_back(make_group(shares, group->second));
      range.group = group->second;
      ruleset.fallback.push_back(range);
    }
  }

 private:
  void claim(const Table& table, std::size_t rank) {
    const auto routes = table.routes();
    Table::Tier tier;
    for (std::uint32_t i = 0; i < routes.size(); i += tier.count) {
      tier = table.tier_of(i);
      if (routes[i].prefix.address.family != family_) continue;
      Shares shares;
      for (const Route& route : routes.subspan(i, tier.count))
        shares.push_back({route.action, route.group, route.weight});
      claim(routes[i].prefix, rank, std::move(shares));
    }
  }

  // Where none of the shares can take flows, the prefix is left to other claims.
  void claim(const Prefix& prefix, std::size_t rank, Shares shares) {
    std::erase_if(shares, [this](const Share& share) {
      return share.action == Action::Steer && !snapshot_.groups[share.group].is_usable(family_);
    });
    if (shares.empty()) return;
    if (shares.size() == 1) shares.front().weight = 1;
    std::sort(shares.begin(), shares.end());
    const auto [number, is_new] = numbers_.try_emplace(std::move(shares), shares_.size());
    if (is_new) shares_.push_back(&number->first);
    claims_.push_back({prefix, rank, number->second});
  }

  // The weights of those that the share's flows go to.
  std::uint64_t weight_inside(const Share& share) const {
    if (share.action != Action::Steer) return 1;
    std::uint64_t sum = 0;
    for (const Server* server : takers(share)) sum += server->weight;
    return sum;
  }

  Ruleset::FallbackGroup make_group(const Shares& shares, std::size_t index) const {
    const Share& first = shares.front();
    Ruleset::FallbackGroup made{{}, family_, {}};
    if (shares.size() == 1) {
      made.name =
          first.action == Action::Steer ? snapshot_.groups[first.group].name : name(first.action);
      add_members(first, weight_inside(first), made);
      return made;
    }
    made.name = format("shared.{}", index);  // no group's name has a point
    std::uint64_t sum = 0;
    for (const Share& share : shares) sum += share.weight;
    for (const Share& share : shares) add_members(share, kParts * share.weight / sum, made);
    return made;
  }

  // Of so many parts each gets those of its weight, and one at least.
  void add_members(const Share& share, std::uint64_t parts, Ruleset::FallbackGroup& group) const {
    const auto of = [parts, sum = weight_inside(share)](std::uint64_t weight) {
      return static_cast<std::uint32_t>(std::max<std::uint64_t>(parts * weight / sum, 1));
    };
    if (share.action != Action::Steer) {
      group.members.push_back({0, of(1), share.action});
      return;
    }
    for (const Server* server : takers(share))
      group.members.push_back({server->id, of(server->weight)});
  }

  // The servers that are up, but for those that others come before.
  std::vector<const Server*> takers(const Share& share) const {
    std::vector<const Server*> first;
    for (const Server& server : snapshot_.groups[share.group].pool(family_).servers) {
      if (server.state != ServerState::Up) continue;
      if (!first.empty() && comes_before(server, *first.front())) first.clear();
      if (first.empty() || !comes_before(*first.front(), server)) first.push_back(&server);
    }
    return first;
  }

  const Snapshot& snapshot_;
  Family family_;
  std::map<Shares, std::size_t> numbers_;
  std::vector<const Shares*> shares_;  // by number; keys of numbers_
  std::vector<Claim> claims_;          // Claim::group is such a number
};

}  // namespace

Ruleset make_ruleset(const Snapshot& snapshot) {
  const EngineConfig& engine = snapshot.engine;
  Ruleset ruleset;
  ruleset.mark = engine.mark;
  ruleset.queue_first = engine.queue_first;
  ruleset.queue_count = engine.queue_count;
  ruleset.bypass = engine.bypass;
  ruleset.prerouting = has_hook(engine, Hook::Prerouting);
  ruleset.output = has_hook(engine, Hook::Output);
  ruleset.servers = list_servers(snapshot);
  ruleset.scope = scope(snapshot);
  for (const Family family : {Family::V4, Family::V6}) Fallback(snapshot, family).write(ruleset);
  return ruleset;
}

}  // namespace nfsteer::netlink
