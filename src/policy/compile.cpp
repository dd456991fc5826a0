#include <algorithm>
#include <cassert>
#include <numeric>
#include <unordered_map>

#include "ids.hpp"
#include "names.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/policy.hpp"

namespace nfsteer {
namespace {

// The compiled index of each group or table, by name.
using Indexes = std::unordered_map<std::string_view, std::uint32_t>;

Server compile_server(const ServerConfig& config, const ServerIdentity& identity, ServerId id) {
  return {config.name,       config.address,         config.port,     config.weight, id,
          hash_of(identity), config.max_connections, config.priority, config.backup, config.state};
}

Group compile_group(const GroupConfig& config, const Ids& ids, GroupStates& states) {
  auto& state = states.groups[config.name];
  if (!state) {
    state = std::make_unique<GroupState>();
    state->v4.keep_ticket(states.kept_tickets, hash_of({config.name, Address::v4(0), {}}));
    state->v6.keep_ticket(states.kept_tickets, hash_of({config.name, Address::v6(0, 0), {}}));
  }
  if (!config.affinity)
    state->affinity.reset();
  else if (!state->affinity || state->affinity->config() != *config.affinity)
    state->affinity = std::make_shared<Affinity>(*config.affinity);

  Group group;
  group.name = config.name;
  group.algorithm = config.algorithm;
  group.snat = config.snat;
  group.v4.state = &state->v4;
  group.v6.state = &state->v6;
  group.hash = config.hash;
  group.factor = config.hash_factor;
  group.slow_start_s = config.slow_start_s;
  group.affinity = state->affinity;
  group.failover = config.failover;
  group.drain = config.drain;
  for (const ServerConfig& server : config.servers) {
    const ServerIdentity identity = identity_of(config, server);
    const ServerId id = ids.of(identity);
    (server.address.family == Family::V4 ? group.v4 : group.v6)
        .servers.push_back(compile_server(server, identity, id));
    std::uint64_t& owner = states.identities[id];
    if (owner != hash_of(identity)) states.gauges.renew(id);
    owner = hash_of(identity);
  }
  return group;
}

template <typename Target>
Aim aim_at(const Target& target, const Indexes& groups, const Indexes& tables) {
  Aim aim{.action = Action::Steer, .group = {}, .table = {}};
  if (const auto* action = std::get_if<Action>(&target)) aim.action = *action;
  if (const auto* group = std::get_if<ToGroup>(&target)) aim.group = groups.at(group->name);
  if constexpr (std::is_same_v<Target, PolicyTarget>)
    if (const auto* table = std::get_if<ToTable>(&target)) aim.table = tables.at(table->name);
  return aim;
}

Table compile_table(const TableConfig& config, const Indexes& groups) {
  std::vector<Route> routes;
  routes.reserve(config.routes.size());
  const std::string* last_name = nullptr;  // many routes in a row have one group
  std::uint32_t last_group = 0, last_identity = 0;
  for (const RouteConfig& route : config.routes) {
    Route made;
    made.prefix = route.prefix;
    made.metric = route.metric;
    made.weight = static_cast<std::uint16_t>(route.weight);
    if (const auto* group = std::get_if<ToGroup>(&route.target)) {
      if (!last_name || *last_name != group->name) {
        last_name = &group->name;
        last_group = groups.at(group->name);
        last_identity = identity_of(Action::Steer, group->name);
      }
      made.group = last_group;
      made.identity = last_identity;
    } else {
      made.action = std::get<Action>(route.target);
      made.identity = identity_of(made.action);
    }
    routes.push_back(made);
  }
  const auto default_group =
      config.default_group ? std::optional(groups.at(*config.default_group)) : std::nullopt;
  return Table(config.name, config.priority, std::move(routes), default_group);
}

Policy compile_policy(const PolicyConfig& config, Names& names, const Indexes& groups,
                      const Indexes& tables) {
  Policy policy{.aim = aim_at(config.target, groups, tables),
                .dry_run = config.dry_run,
                .priority = config.priority,
                .name = config.name,
                .match = {}};
  policy.match.reserve(config.match.size());
  for (const Match& match : config.match) policy.match.push_back(names.resolve(match));
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

// Numbers the rules, and makes the classifier of them.
void number_rules(Snapshot& snapshot) {
  static const Match kEveryFlow;
  std::vector<const Match*> matches;
  for (std::uint32_t p = 0; p < snapshot.policies.size(); ++p) {
    const Policy& policy = snapshot.policies[p];
    for (const Match& match : policy.match) matches.push_back(&match);
    if (policy.match.empty()) matches.push_back(&kEveryFlow);
    const auto end = static_cast<std::uint32_t>(matches.size());
    snapshot.rules.resize(matches.size(), {p, end, policy.aim, policy.dry_run});
  }
  snapshot.classifier = Classifier(matches);
}

void raise_to(std::uint8_t& bits, const Prefix& prefix) {
  bits = std::max(bits, prefix.length);
}

void read_addresses(const std::vector<Value>& values, std::uint8_t& bits4, std::uint8_t& bits6) {
  for (const Value& value : values)
    if (const auto* prefix = std::get_if<Prefix>(&value))
      raise_to(prefix->address.family == Family::V4 ? bits4 : bits6, *prefix);
}

void read_field(const Criterion& criterion, FlowFields& reads) {
  const std::string_view name = criterion.field->name;
  const auto is = [&](std::string_view key) { return name == key; };
  for (const auto* values : {&criterion.any, &criterion.none}) {
    if (is("saddr")) read_addresses(*values, reads.source_bits4, reads.source_bits6);
    if (is("daddr")) read_addresses(*values, reads.destination_bits4, reads.destination_bits6);
  }
  reads.source_port |= is("sport");
  reads.destination_port |= is("dport");
  // Whether there are ports, or a type, is a matter of the protocol.
  reads.protocol |= is("proto") || is("sport") || is("dport") || is("icmp_type");
  reads.icmp_type |= is("icmp_type");
  reads.mark |= is("mark");
  reads.in_interface |= is("iif");
  reads.out_interface |= is("oif");
  reads.uid |= is("uid");
  reads.gid |= is("gid");
  reads.source_country |= is("scountry");
  reads.destination_country |= is("dcountry");
}

FlowFields fields_read(const Snapshot& snapshot) {
  FlowFields reads;
  for (const Policy& policy : snapshot.policies)
    for (const Match& match : policy.match)
      for (const Criterion& criterion : match) read_field(criterion, reads);
  for (const Table& table : snapshot.tables)
    for (const Route& route : table.routes())
      raise_to(route.prefix.address.family == Family::V4 ? reads.destination_bits4
                                                         : reads.destination_bits6,
               route.prefix);
  return reads;
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

std::unique_ptr<Snapshot> compile_rules(const Config& config) {
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->engine = config.engine;
  snapshot->cache = config.cache;
  snapshot->countries = config.countries;
  for (const CheckConfig& check : config.checks)
    if (const auto user = program_user(check)) snapshot->probe_users.insert(*user);
  for (const ScheduleConfig& schedule : config.schedules)
    snapshot->schedules.emplace_back(schedule);

  Indexes groups, tables;
  for (std::uint32_t i = 0; i < config.groups.size(); ++i) groups[config.groups[i].name] = i;
  for (const TableConfig* table : by_priority(config.tables)) {
    tables[table->name] = static_cast<std::uint32_t>(snapshot->tables.size());
    snapshot->tables.push_back(compile_table(*table, groups));
  }
  Names names(config);
  for (const PolicyConfig* policy : by_priority(config.policies))
    if (policy->enabled)
      snapshot->policies.push_back(compile_policy(*policy, names, groups, tables));
  number_rules(*snapshot);
  snapshot->reads = fields_read(*snapshot);
  snapshot->no_route = aim_at(config.engine.on_no_route, groups, tables);
  return snapshot;
}

void compile_groups(Snapshot& snapshot, const std::vector<GroupConfig>& groups, GroupStates& states,
                    const KnownIds& known) {
  const Ids ids(groups, snapshot.engine.mark, known);
  snapshot.groups.reserve(groups.size());
  for (const GroupConfig& group : groups)
    snapshot.groups.push_back(compile_group(group, ids, states));
  for (auto& [name, state] : states.groups)
    if (std::ranges::find(groups, name, &GroupConfig::name) == groups.end())
      state->affinity.reset();
  index_servers(snapshot, ids.highest());
  snapshot.gauges = &states.gauges;
}

std::unique_ptr<const Snapshot> compile(const Config& config, GroupStates& states,
                                        const KnownIds& known) {
  auto snapshot = compile_rules(config);
  compile_groups(*snapshot, config.groups, states, known);
  return snapshot;
}

}  // namespace nfsteer
