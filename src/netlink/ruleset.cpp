// What of a snapshot the kernel's table has to know.
#include <algorithm>
#include <map>
#include <string_view>

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

// The destinations that the policy may match; nullopt: any.
std::optional<std::vector<Prefix>> destinations(const Policy& policy) {
  for (const Criterion& criterion : policy.match)
    if (criterion.field->name == std::string_view("daddr")) return criterion.prefixes;
  return std::nullopt;
}

// The destinations of all that policies and routes may match; nullopt: any.
std::optional<std::vector<Prefix>> destinations(const Snapshot& snapshot) {
  std::vector<Prefix> all;
  for (const Policy& policy : snapshot.policies) {
    const auto prefixes = destinations(policy);
    if (!prefixes) return std::nullopt;
    all.insert(all.end(), prefixes->begin(), prefixes->end());
  }
  for (const Table& table : snapshot.tables)
    for (const Route& route : table.routes()) all.push_back(route.prefix);
  return all;
}

std::vector<Ruleset::ScopeRange> scope(const Snapshot& snapshot) {
  const auto prefixes = destinations(snapshot);
  std::vector<Ruleset::ScopeRange> all;
  for (const Family family : {Family::V4, Family::V6}) {
    std::vector<Prefix> own;
    if (prefixes)
      std::copy_if(prefixes->begin(), prefixes->end(), std::back_inserter(own),
                   [family](const Prefix& prefix) { return prefix.address.family == family; });
    auto ranges = cover(own);
    if (!prefixes || ranges.size() > kScopeRangesMax)
      ranges = {{steerable(family).first, steerable(family).last}};
    all.insert(all.end(), ranges.begin(), ranges.end());
  }
  return all;
}

// The routes of the family whose group can take its flows. As decide() does,
// an earlier table goes before a later one, and in it a longer prefix, then a
// lower metric, before others.
std::vector<Claim> claims(const Snapshot& snapshot, Family family) {
  std::vector<Claim> all;
  std::size_t rank = snapshot.tables.size();
  for (const Table& table : snapshot.tables) {
    for (const Route& route : table.routes()) {
      const Group& group = snapshot.groups[route.group];
      if (route.prefix.address.family == family && !group.pool(family).servers.empty())
        all.push_back({route.prefix, rank, route.group});
    }
    --rank;
  }
  return all;
}

Ruleset::FallbackGroup fallback_group(const Group& group, Family family) {
  Ruleset::FallbackGroup made{group.name, family, {}};
  for (const Server& server : group.pool(family).servers)
    made.members.push_back({server.id, server.weight});
  return made;
}

void add_fallback(Ruleset& ruleset, const Snapshot& snapshot, Family family) {
  std::map<std::size_t, std::size_t> numbers;  // by index in the snapshot
  for (Ruleset::FallbackRange range : settle(claims(snapshot, family))) {
    const auto [number, is_new] = numbers.try_emplace(range.group, ruleset.fallback_groups.size());
    if (is_new)
      ruleset.fallback_groups.push_back(fallback_group(snapshot.groups[range.group], family));
    range.group = number->second;
    ruleset.fallback.push_back(range);
  }
}

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
  for (const Family family : {Family::V4, Family::V6}) add_fallback(ruleset, snapshot, family);
  return ruleset;
}

}  // namespace nfsteer::netlink
