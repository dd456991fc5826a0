#include "totals.hpp"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

using Indexes = std::unordered_map<std::string_view, std::size_t>;

std::string_view name_of(const Policy& policy) {
  return policy.name;
}
std::string_view name_of(const Group& group) {
  return group.name;
}
std::string_view name_of(const Table& table) {
  return table.name();
}

template <typename T>
Indexes indexes_of(const std::vector<T>& list) {
  Indexes indexes;
  for (std::size_t i = 0; i < list.size(); ++i) indexes.emplace(name_of(list[i]), i);
  return indexes;
}

// Calls each(i, k) for each element i of `from` that has the name of element k of `to`.
template <typename T, typename Each>
void for_same_names(const std::vector<T>& from, const std::vector<T>& to, Each each) {
  const Indexes indexes = indexes_of(to);
  for (std::size_t i = 0; i < from.size(); ++i)
    if (const auto found = indexes.find(name_of(from[i])); found != indexes.end())
      each(i, found->second);
}

std::string target_of(const Snapshot& snapshot, const Route& route) {
  return route.action == Action::Steer ? snapshot.groups[route.group].name : name(route.action);
}

// By prefix, then metric: as routes are sorted in a table.
bool is_before(const Route& a, const Route& b) {
  return std::tie(a.prefix, a.metric) < std::tie(b.prefix, b.metric);
}

using RouteTotals = Zeros<Totals::RouteTotal>;

// Where nothing was counted nothing is written: see Zeros.
void add_to(Totals::PolicyTotal& sum, const Totals::PolicyTotal& more) {
  if (more.packets == 0) return;
  sum.packets += more.packets;
  sum.bytes += more.bytes;
  sum.last = std::max(sum.last, more.last);
}

void add_to(Totals::RouteTotal& sum, const Totals::RouteTotal& more) {
  if (more.packets == 0) return;
  sum.packets += more.packets;
  sum.bytes += more.bytes;
}

template <typename Total>
void subtract_from(Total& sum, const Total& earlier) {
  if (earlier.packets == 0) return;
  sum.packets -= earlier.packets;
  sum.bytes -= earlier.bytes;
}

// Both tables are sorted: one walk along both.
void rename_routes(std::span<const Route> old_routes, const RouteTotals& counted,
                   std::span<const Route> new_routes, RouteTotals& result) {
  for (std::size_t i = 0, k = 0; i < old_routes.size(); ++i) {
    if (counted[i].packets == 0) continue;
    while (k < new_routes.size() && is_before(new_routes[k], old_routes[i])) ++k;
    for (std::size_t j = k; j < new_routes.size() && !is_before(old_routes[i], new_routes[j]); ++j)
      if (old_routes[i].identity == new_routes[j].identity) result[j] = counted[i];
  }
}

bool is_same_server(const Snapshot& a, const Snapshot& b, std::size_t id) {
  const Server *one = a.servers[id], *other = b.servers[id];
  return one && other && one->name == other->name && one->address == other->address &&
         one->port == other->port &&
         a.groups[a.server_groups[id]].name == b.groups[b.server_groups[id]].name;
}

void add_counts(CacheCounts& sum, const CacheCounts& more, bool is_current = true) {
  if (is_current) sum.entries += more.entries;
  sum.hits += more.hits;
  sum.misses += more.misses;
  sum.evictions += more.evictions;
}

// What is held now stays: the entries are no count of events.
void subtract_counts(CacheCounts& sum, const CacheCounts& earlier) {
  sum.hits -= earlier.hits;
  sum.misses -= earlier.misses;
  sum.evictions -= earlier.evictions;
}

}  // namespace

Totals::Totals(const Snapshot& snapshot)
    : policies(snapshot.policies.size()),
      groups(snapshot.groups.size()),
      selected(snapshot.servers.size()) {
  for (const Table& table : snapshot.tables) routes.emplace_back(table.routes().size());
}

void Totals::add(const Desks& desks, std::uint64_t epoch) {
  for (const auto& desk : desks) {
    const Tallies& tallies = desk->tallies;
    for (std::size_t i = 0; i < policies.size(); ++i) {
      const auto& [packets, bytes, last] = tallies.policies[i];
      add_to(policies[i], {packets.read(), bytes.read(), last.read()});
    }
    for (std::size_t t = 0; t < routes.size(); ++t)
      for (std::size_t i = 0; i < routes[t].size(); ++i) {
        const auto& [packets, bytes] = tallies.routes[t][i];
        add_to(routes[t][i], {packets.read(), bytes.read()});
      }
    for (std::size_t i = 0; i < groups.size(); ++i) {
      groups[i].requests += tallies.groups[i].requests.read();
      groups[i].failed += tallies.groups[i].failed.read();
    }
    for (std::size_t i = 0; i < selected.size(); ++i) selected[i] += tallies.selected[i].read();
    const bool is_current = desk->epoch.read() == epoch;
    add_counts(cache, desk->memo.counts(), is_current);
    add_counts(route_cache, desk->ways.counts(), is_current);
  }
}

void Totals::add(const Totals& other) {
  for (std::size_t i = 0; i < policies.size(); ++i) add_to(policies[i], other.policies[i]);
  for (std::size_t t = 0; t < routes.size(); ++t)
    for (std::size_t i = 0; i < routes[t].size(); ++i) add_to(routes[t][i], other.routes[t][i]);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i].requests += other.groups[i].requests;
    groups[i].failed += other.groups[i].failed;
  }
  for (std::size_t i = 0; i < selected.size(); ++i) selected[i] += other.selected[i];
  add_counts(cache, other.cache);
  add_counts(route_cache, other.route_cache);
}

void Totals::subtract(const Totals& earlier) {
  for (std::size_t i = 0; i < policies.size(); ++i) subtract_from(policies[i], earlier.policies[i]);
  for (std::size_t t = 0; t < routes.size(); ++t)
    for (std::size_t i = 0; i < routes[t].size(); ++i)
      subtract_from(routes[t][i], earlier.routes[t][i]);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i].requests -= earlier.groups[i].requests;
    groups[i].failed -= earlier.groups[i].failed;
  }
  for (std::size_t i = 0; i < selected.size(); ++i) selected[i] -= earlier.selected[i];
  subtract_counts(cache, earlier.cache);
  subtract_counts(route_cache, earlier.route_cache);
}

Totals Totals::renamed(const Snapshot& from, const Snapshot& to) const {
  Totals result(to);
  for_same_names(from.policies, to.policies,
                 [&](std::size_t i, std::size_t k) { add_to(result.policies[k], policies[i]); });
  for_same_names(from.groups, to.groups,
                 [&](std::size_t i, std::size_t k) { result.groups[k] = groups[i]; });
  for_same_names(from.tables, to.tables, [&](std::size_t i, std::size_t k) {
    rename_routes(from.tables[i].routes(), routes[i], to.tables[k].routes(), result.routes[k]);
  });
  for (std::size_t id = 0; id < std::min(selected.size(), result.selected.size()); ++id)
    if (is_same_server(from, to, id)) result.selected[id] = selected[id];
  result.cache = cache;
  result.route_cache = route_cache;
  result.cache.entries = result.route_cache.entries = 0;
  return result;
}

namespace {

GroupStatistics describe_group(const Group& group, const Totals::GroupTotal& total,
                               const std::vector<std::uint64_t>& selected) {
  GroupStatistics made;
  made.name = group.name;
  made.requests = total.requests;
  made.failed = total.failed;
  for (const Pool* pool : {&group.v4, &group.v6})
    for (const Server& server : pool->servers) {
      made.selected += selected[server.id];
      ServerStatistics& described = made.servers.emplace_back();
      described.name = server.name;
      described.address = to_string(server.address);
      described.port = server.port;
      described.id = server.id;
      described.selected = selected[server.id];
    }
  return made;
}

PolicyStatistics describe_policy(const Policy& policy, const Totals::PolicyTotal& total,
                                 Time clock_start) {
  PolicyStatistics made{policy.name,   policy.priority, policy.dry_run,
                        total.packets, total.bytes,     {}};
  if (total.last > 0) made.last_match = clock_start + std::chrono::seconds(total.last - 1);
  return made;
}

RouteStatistics describe_route(const Snapshot& snapshot, const Route& route,
                               const Totals::RouteTotal& total) {
  return {to_string(route.prefix),
          target_of(snapshot, route),
          route.metric,
          route.weight,
          total.packets,
          total.bytes};
}

TableStatistics describe_table(const Snapshot& snapshot, const Table& table,
                               const RouteTotals& totals) {
  TableStatistics made{table.name(), table.priority(), table.routes().size(), {}};
  std::vector<std::size_t> used;
  for (std::size_t i = 0; i < totals.size(); ++i)
    if (totals[i].packets > 0) used.push_back(i);
  const auto shown =
      used.begin() + static_cast<std::ptrdiff_t>(std::min(used.size(), kUsedRoutesMax));
  std::partial_sort(used.begin(), shown, used.end(), [&totals](std::size_t a, std::size_t b) {
    return std::tie(totals[b].packets, a) < std::tie(totals[a].packets, b);
  });
  used.erase(shown, used.end());
  for (const std::size_t i : used)
    made.used.push_back(describe_route(snapshot, table.routes()[i], totals[i]));
  return made;
}

}  // namespace

std::vector<RouteStatistics> describe_routes(const Snapshot& snapshot, const Table& table,
                                             const RouteTotals& totals) {
  std::vector<RouteStatistics> made;
  for (std::size_t i = 0; i < totals.size(); ++i)
    made.push_back(describe_route(snapshot, table.routes()[i], totals[i]));
  return made;
}

Statistics describe(const Snapshot& snapshot, const Totals& totals, Time clock_start) {
  Statistics made;
  for (std::size_t i = 0; i < snapshot.groups.size(); ++i)
    made.groups.push_back(describe_group(snapshot.groups[i], totals.groups[i], totals.selected));
  for (std::size_t i = 0; i < snapshot.policies.size(); ++i)
    made.policies.push_back(describe_policy(snapshot.policies[i], totals.policies[i], clock_start));
  for (std::size_t i = 0; i < snapshot.tables.size(); ++i)
    made.tables.push_back(describe_table(snapshot, snapshot.tables[i], totals.routes[i]));
  made.cache = totals.cache;
  made.route_cache = totals.route_cache;
  return made;
}

void describe_traffic(const Snapshot& snapshot,
                      const std::function<ServerFigures(ServerId)>& figures_of, Time clock_start,
                      Statistics& statistics) {
  const auto describe = [clock_start](const ServerFigures& figures) {
    TrafficStatistics made{figures.active,
                           figures.total,
                           figures.failed,
                           figures.volume.packets,
                           figures.volume.bytes,
                           figures.latencies.summary(),
                           {}};
    if (figures.last_s > 0) made.last_flow = clock_start + std::chrono::seconds(figures.last_s);
    return made;
  };
  ServerFigures of_all;
  for (std::size_t i = 0; i < snapshot.groups.size(); ++i) {
    ServerFigures of_group;
    for (ServerStatistics& server : statistics.groups[i].servers) {
      const ServerFigures figures = figures_of(server.id);
      server.traffic = describe(figures);
      of_group += figures;
    }
    statistics.groups[i].traffic = describe(of_group);
    of_all += of_group;
  }
  statistics.traffic = describe(of_all);
}

}  // namespace nfsteer
