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

// All that the group may ever take.
void add_everything_of(const Group& group, Prefixes& destinations) {
  for (const Family family : {Family::V4, Family::V6})
    if (!group.pool(family).servers.empty()) destinations.push_back(everything(family));
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

}  // namespace

Ruleset make_ruleset(const EngineConfig& engine) {
  Ruleset ruleset;
  ruleset.mark = engine.mark;
  ruleset.manage = engine.manage;
  ruleset.queue_first = engine.queue_first;
  ruleset.queue_count = engine.queue_count;
  ruleset.bypass = engine.bypass;
  ruleset.prerouting = has_hook(engine, Hook::Prerouting);
  ruleset.output = has_hook(engine, Hook::Output);
  return ruleset;
}

Ruleset make_ruleset(const Snapshot& snapshot, const Situation& situation) {
  Ruleset ruleset = make_ruleset(snapshot.engine);
  ruleset.probe_users.assign(snapshot.probe_users.begin(), snapshot.probe_users.end());
  ruleset.servers = list_servers(snapshot);
  ruleset.scope = scope(snapshot);
  FallbackPlan(snapshot).write(situation, ruleset);
  return ruleset;
}

}  // namespace nfsteer::netlink
