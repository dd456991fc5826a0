// The decision once more, written without any of its data structures.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "nfsteer/policy.hpp"

namespace nfsteer::testing {

// ---- what names stand for -------------------------------------------------------

// As countries() of build.hpp.
inline CountryId country_of(const Address& address) {
  static const std::pair<Prefix, CountryId> kLongestFirst[] = {{*parse_prefix("10.1.0.0/16"), 2},
                                                               {*parse_prefix("10.0.0.0/8"), 1},
                                                               {*parse_prefix("11.0.0.0/8"), 3},
                                                               {*parse_prefix("2001:db8::/32"), 1}};
  for (const auto& [prefix, country] : kLongestFirst)
    if (prefix.contains(address)) return country;
  return 0;
}

inline void append_meaning(const Config& config, const Field& field, const std::string& name,
                           std::vector<Value>& values) {
  static const std::map<std::string, std::vector<CountryId>> kCountries = {
      {"DE", {1}}, {"CH", {2}},     {"FR", {3}},
      {"US", {}},  {"EU", {1, 3}},  {"continent:EU", {1, 2, 3}},
      {"--", {0}}, {"near", {2, 3}}};
  for (const SetConfig& set : config.sets)
    if (field.takes_sets && name == "@" + set.name)
      values.insert(values.end(), set.prefixes.begin(), set.prefixes.end());
  for (std::uint32_t i = 0; i < config.schedules.size(); ++i)
    if (field.name == std::string_view("schedule") && name == config.schedules[i].name)
      values.emplace_back(Interval{i, i});
  if (std::string_view(field.name).ends_with("country")) {
    values.emplace_back(Interval{1000, 1000});  // also of no country there is one value
    for (const std::uint32_t id : kCountries.at(name)) values.emplace_back(Interval{id, id});
  }
}

inline Criterion without_names(const Config& config, const Criterion& criterion) {
  Criterion made{criterion.field, {}, {}};
  for (const auto& [from, to] :
       {std::pair{&criterion.any, &made.any}, {&criterion.none, &made.none}})
    for (const Value& value : *from)
      if (const auto* name = std::get_if<std::string>(&value))
        append_meaning(config, *criterion.field, *name, *to);
      else
        to->push_back(value);
  return made;
}

// ---- the decision ---------------------------------------------------------------

// A decision by names. Of the routes that share a flow only which they are.
struct Expected {
  Action action = Action::Accept;
  bool dry_run = false;
  std::string policy, table, group, failed_group;
  std::vector<const RouteConfig*> routes;  // one of these
};

class Oracle {
 public:
  explicit Oracle(const Config& config) : config_(config) {
    for (std::size_t i = 0; i < config.policies.size(); ++i) order_.push_back(i);
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
      return config.policies[a].priority > config.policies[b].priority;
    });
    for (const PolicyConfig& policy : config.policies) {
      auto& alternatives = matches_.emplace_back();
      for (const Match& match : policy.match) {
        Match& made = alternatives.emplace_back();
        for (const Criterion& each : match) made.push_back(without_names(config, each));
      }
      if (alternatives.empty()) alternatives.emplace_back();
    }
  }
  virtual ~Oracle() = default;

  Expected decide(const Flow& flow, const Activity& activity) const {
    Subject subject{flow, activity};
    if (config_.countries) {
      subject.source_country = country_of(flow.tuple.source);
      subject.destination_country = country_of(flow.tuple.destination);
    }
    Expected made;
    for (const std::size_t i : order_) {
      const PolicyConfig& policy = config_.policies[i];
      if (!policy.enabled || !matches_any(matches_[i], subject)) continue;
      if (policy.dry_run) {
        made.dry_run = true;
      } else if (take(policy.target, flow, made)) {
        made.policy = policy.name;
        return made;
      }
    }
    std::vector<const TableConfig*> tables;
    for (const TableConfig& table : config_.tables) tables.push_back(&table);
    std::stable_sort(tables.begin(), tables.end(),
                     [](const auto* a, const auto* b) { return a->priority > b->priority; });
    for (const TableConfig* table : tables)
      if (take_table(*table, flow, made)) return made;
    if (const auto* action = std::get_if<Action>(&config_.engine.on_no_route))
      made.action = *action;
    else
      take_group(std::get<ToGroup>(config_.engine.on_no_route).name, flow, made);
    return made;
  }

 protected:
  // The routes to the destination.
  virtual std::vector<const RouteConfig*> routes_to(const TableConfig& table,
                                                    const Address& destination) const {
    std::vector<const RouteConfig*> routes;
    for (const RouteConfig& route : table.routes)
      if (route.prefix.contains(destination)) routes.push_back(&route);
    return routes;
  }

 private:
  static bool matches_any(const std::vector<Match>& alternatives, const Subject& subject) {
    return std::any_of(alternatives.begin(), alternatives.end(),
                       [&](const Match& match) { return matches(match, subject); });
  }

  bool take(const PolicyTarget& target, const Flow& flow, Expected& made) const {
    if (const auto* group = std::get_if<ToGroup>(&target))
      return take_group(group->name, flow, made);
    if (const auto* table = std::get_if<ToTable>(&target)) {
      for (const TableConfig& each : config_.tables)
        if (each.name == table->name) return take_table(each, flow, made);
    }
    made.action = std::get<Action>(target);
    return true;
  }

  bool take_group(const std::string& name, const Flow& flow, Expected& made) const {
    for (const GroupConfig& group : config_.groups)
      for (const ServerConfig& server : group.servers)
        if (group.name == name && server.address.family == flow.family() &&
            server.state == ServerState::Up) {
          made.action = Action::Steer;
          made.group = name;
          return true;
        }
    if (made.failed_group.empty()) made.failed_group = name;
    return false;
  }

  bool take_table(const TableConfig& table, const Flow& flow, Expected& made) const {
    auto routes = routes_to(table, flow.tuple.destination);
    const auto is_better = [](const RouteConfig* a, const RouteConfig* b) {
      if (a->prefix.length != b->prefix.length) return a->prefix.length > b->prefix.length;
      return a->metric < b->metric;
    };
    std::stable_sort(routes.begin(), routes.end(), is_better);
    const RouteConfig* first = nullptr;  // the first that is usable
    for (const RouteConfig* route : routes) {
      if (first && is_better(first, route)) break;
      Expected ignored = made;
      if (const auto* group = std::get_if<ToGroup>(&route->target))
        if (!take_group(group->name, flow, first ? ignored : made)) continue;
      if (!first) first = route;
      made.routes.push_back(route);
    }
    made.table = table.name;
    if (first) return true;
    if (table.default_group && take_group(*table.default_group, flow, made)) return true;
    made.table.clear();
    return false;
  }

  const Config& config_;
  std::vector<std::size_t> order_;
  std::vector<std::vector<Match>> matches_;  // by policy
};

// ---- comparison -----------------------------------------------------------------

inline bool is_server_of(const Snapshot& snapshot, const Decision& decision, Family family) {
  const Server* server = snapshot.servers[decision.server];
  if (!server || server->address.family != family || server->state != ServerState::Up ||
      snapshot.server_groups[decision.server] != *decision.group)
    return false;
  const auto& others = snapshot.groups[*decision.group].pool(family).servers;
  return std::none_of(others.begin(), others.end(), [server](const Server& other) {
    return other.state == ServerState::Up && comes_before(other, *server);
  });
}

// The one of the routes that the decision names, if it is one of them.
inline const RouteConfig* route_of(const Snapshot& snapshot, const Decision& decision,
                                   const std::vector<const RouteConfig*>& routes) {
  const Route& chosen = snapshot.tables[*decision.table].routes()[*decision.route];
  for (const RouteConfig* route : routes) {
    const auto* group = std::get_if<ToGroup>(&route->target);
    const bool same_target =
        group ? chosen.action == Action::Steer && snapshot.groups[chosen.group].name == group->name
              : chosen.action == std::get<Action>(route->target);
    if (route->prefix == chosen.prefix && route->metric == chosen.metric && same_target)
      return route;
  }
  return nullptr;
}

inline bool agree(const Snapshot& snapshot, const Decision& got, Expected want, const Flow& flow) {
  const auto name_in = [](const auto& list, OptionalIndex index) {
    return index ? list[*index].name : std::string();
  };
  if (got.route.has_value() == want.routes.empty()) return false;
  if (got.route) {
    const RouteConfig* route = route_of(snapshot, got, want.routes);
    if (!route) return false;
    const auto* group = std::get_if<ToGroup>(&route->target);
    want.action = group ? Action::Steer : std::get<Action>(route->target);
    want.group = group ? group->name : "";
  }
  const bool steered = got.action == Action::Steer;
  return got.action == want.action && got.dry_run == want.dry_run &&
         name_in(snapshot.policies, got.policy) == want.policy &&
         (got.table ? snapshot.tables[*got.table].name() : "") == want.table &&
         name_in(snapshot.groups, got.group) == want.group &&
         name_in(snapshot.groups, got.failed_group) == want.failed_group &&
         (steered ? is_server_of(snapshot, got, flow.family()) : got.server == 0);
}

// Whether each schedule holds, by their names and times in RandomWorld.
inline Activity activity_by_hand(Time time, const Snapshot& snapshot) {
  const auto minute = std::chrono::duration_cast<std::chrono::minutes>(time.time_since_epoch()) %
                      std::chrono::minutes(24 * 60);
  const auto hour = minute.count() / 60;
  Activity activity;
  activity.schedules = {std::uint64_t{hour >= 8 && hour < 20} |
                        std::uint64_t{hour >= 22 || hour < 6} << 1 |
                        std::uint64_t{hour == 12} << 2};
  activity.rules = snapshot.classifier.awake(activity.schedules);
  return activity;
}

}  // namespace nfsteer::testing
