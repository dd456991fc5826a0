#include <algorithm>
#include <cassert>
#include <numeric>

#include "nfsteer/base/text.hpp"
#include "nfsteer/policy.hpp"

namespace nfsteer {
namespace {

using Indexes = std::map<std::string_view, std::uint32_t>;

Pool make_pool(std::vector<Server> servers, const std::string& algorithm, Cursor& cursor) {
  Pool pool{std::move(servers), nullptr};
  if (!pool.servers.empty()) pool.balancer = find_algorithm(algorithm)->make(pool.servers, cursor);
  return pool;
}

ServerIdentity identity_of(const GroupConfig& group, const ServerConfig& server) {
  return {format("{}/{}", group.name, server.name), server.address, server.port};
}

// The ids of all servers of a configuration.
class Ids {
 public:
  Ids(const Config& config, const KnownIds& known) : max_(config.engine.mark.server_max()) {
    for (const GroupConfig& group : config.groups)
      for (const ServerConfig& server : group.servers) keep(identity_of(group, server), known);
    for (const GroupConfig& group : config.groups)
      for (const ServerConfig& server : group.servers) give(identity_of(group, server), known);
  }

  ServerId of(const ServerIdentity& identity) const { return ids_.at(identity); }
  ServerId highest() const { return taken_.empty() ? ServerId{0} : *taken_.rbegin(); }

 private:
  void keep(const ServerIdentity& identity, const KnownIds& known) {
    const auto found = known.servers.find(identity);
    if (found == known.servers.end() || found->second == 0 || found->second > max_) return;
    if (taken_.insert(found->second).second) ids_[identity] = found->second;
  }

  void give(const ServerIdentity& identity, const KnownIds& known) {
    if (ids_.contains(identity)) return;
    const ServerId id = lowest_free(known.in_use).value_or(lowest_free({}).value_or(0));
    assert(id != 0 && "validate() counted the servers");
    taken_.insert(id);
    ids_[identity] = id;
  }

  std::optional<ServerId> lowest_free(const std::set<ServerId>& avoid) {
    ServerId& from = avoid.empty() ? free_from_ : free_from_avoiding_;
    for (; from <= max_; ++from)
      if (!taken_.contains(from) && !avoid.contains(from)) return from;
    return std::nullopt;
  }

  std::uint32_t max_;
  std::map<ServerIdentity, ServerId> ids_;
  std::set<ServerId> taken_;
  ServerId free_from_ = 1, free_from_avoiding_ = 1;  // nothing below is free
};

Group compile_group(const GroupConfig& config, const Ids& ids, GroupState& state) {
  std::vector<Server> v4, v6;
  for (const ServerConfig& server : config.servers)
    (server.address.family == Family::V4 ? v4 : v6)
        .push_back({server.name, server.address, server.port, server.weight,
                    ids.of(identity_of(config, server))});
  Group group{config.name, config.algorithm, config.snat, {}, {}};
  group.v4 = make_pool(std::move(v4), config.algorithm, state.v4);
  group.v6 = make_pool(std::move(v6), config.algorithm, state.v6);
  return group;
}

Table compile_table(const TableConfig& config, const Indexes& groups) {
  std::vector<Route> routes;
  routes.reserve(config.routes.size());
  for (const RouteConfig& route : config.routes)
    routes.push_back({route.prefix, groups.at(route.group), route.metric});
  return Table(config.name, config.priority, std::move(routes));
}

Policy compile_policy(const PolicyConfig& config, const Indexes& groups, const Indexes& tables) {
  Policy policy{config.name, config.priority, config.match, Action::Steer, {}, {}};
  if (const auto* group = std::get_if<ToGroup>(&config.target))
    policy.group = groups.at(group->name);
  else if (const auto* table = std::get_if<ToTable>(&config.target))
    policy.table = tables.at(table->name);
  else
    policy.action = std::get<Action>(config.target);
  return policy;
}

// The elements by descending priority; equal ones stay in their order.
template <typename T>
std::vector<const T*> by_priority(const std::vector<T>& configs) {
  std::vector<const T*> sorted;
  for (const T& config : configs) sorted.push_back(&config);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const T* a, const T* b) { return a->priority > b->priority; });
  return sorted;
}

void index_servers(Snapshot& snapshot, ServerId highest) {
  snapshot.servers.resize(highest + 1u, nullptr);
  snapshot.server_groups.resize(highest + 1u, 0);
  for (std::uint32_t g = 0; g < snapshot.groups.size(); ++g)
    for (const Pool* pool : {&snapshot.groups[g].v4, &snapshot.groups[g].v6})
      for (const Server& server : pool->servers) {
        snapshot.servers[server.id] = &server;
        snapshot.server_groups[server.id] = g;
      }
}

}  // namespace

std::unique_ptr<const Snapshot> compile(const Config& config, GroupStates& states,
                                        const KnownIds& known) {
  assert(validate(config).empty());
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->engine = config.engine;

  Indexes groups, tables;
  const Ids ids(config, known);
  snapshot->groups.reserve(config.groups.size());
  for (const GroupConfig& group : config.groups) {
    auto& state = states[group.name];
    if (!state) state = std::make_unique<GroupState>();
    groups[group.name] = static_cast<std::uint32_t>(snapshot->groups.size());
    snapshot->groups.push_back(compile_group(group, ids, *state));
  }
  for (const TableConfig* table : by_priority(config.tables)) {
    tables[table->name] = static_cast<std::uint32_t>(snapshot->tables.size());
    snapshot->tables.push_back(compile_table(*table, groups));
  }
  for (const PolicyConfig* policy : by_priority(config.policies))
    snapshot->policies.push_back(compile_policy(*policy, groups, tables));
  index_servers(*snapshot, ids.highest());
  return snapshot;
}

}  // namespace nfsteer
