// Two configurations side by side.
#include <algorithm>
#include <concepts>
#include <functional>
#include <optional>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "nfsteer/base/text.hpp"
#include "nfsteer/steering.hpp"

namespace nfsteer {
namespace {

class Comparison {
 public:
  void add(std::string line) {
    if (found_.changes.size() < kChangesMax)
      found_.changes.push_back(std::move(line));
    else
      ++found_.left_out;
  }
  template <typename T>
  void compare(const std::string& path, const T& before, const T& after) {
    if (before != after) add(format("~ {} {} -> {}", path, text(before), text(after)));
  }

  // Elements by their names: those that only one has, and `each` of those that both have.
  template <typename T, typename Name, typename Each>
  void pair(const std::string& path, const std::vector<T>& before, const std::vector<T>& after,
            Name name, Each each) {
    const auto by_name = [&name](const std::vector<T>& elements) {
      std::unordered_map<std::string_view, const T*> made;
      for (const T& element : elements) made[std::invoke(name, element)] = &element;
      return made;
    };
    const auto old = by_name(before), present = by_name(after);
    for (const T& element : before)
      if (!present.contains(std::invoke(name, element)))
        add(format("- {}{}", path, std::invoke(name, element)));
    for (const T& element : after) {
      const auto known = old.find(std::invoke(name, element));
      if (known == old.end())
        add(format("+ {}{}", path, std::invoke(name, element)));
      else
        each(*known->second, element);
    }
  }

  Difference take() && { return std::move(found_); }

 private:
  static std::string text(const std::string& value) { return value.empty() ? "-" : value; }
  static std::string text(bool value) { return value ? "true" : "false"; }
  template <std::integral Number>
  static std::string text(Number value) {
    return format("{}", value);
  }
  template <typename T>
  static std::string text(const std::optional<T>& value) {
    return value ? text(*value) : "-";
  }

  Difference found_;
};

// ---- groups ---------------------------------------------------------------------

std::string endpoint_of(const ServerConfig& server) {
  return server.port ? to_string(Endpoint{server.address, *server.port})
                     : to_string(server.address);
}

std::string hash_of(const GroupConfig& group) {
  if (!group.hash) return {};
  std::vector<std::string> parts;
  if (group.hash->source) parts.push_back("saddr");
  if (group.hash->source_port) parts.push_back("sport");
  if (group.hash->destination) parts.push_back("daddr");
  if (group.hash->destination_port) parts.push_back("dport");
  if (group.hash->protocol) parts.push_back("proto");
  return fmt::to_string(join(parts, ","));
}

std::string affinity_of(const GroupConfig& group) {
  if (!group.affinity) return {};
  const auto& [v4, v6, timeout_s, max] = *group.affinity;
  return format("/{} /{} {}s {}", v4, v6, timeout_s, max);
}

void compare_servers(Comparison& found, const std::string& path, const ServerConfig& before,
                     const ServerConfig& after) {
  const std::string own = format("{}{}.", path, after.name);
  found.compare(own + "address", endpoint_of(before), endpoint_of(after));
  found.compare(own + "weight", before.weight, after.weight);
  found.compare(own + "max_connections", before.max_connections, after.max_connections);
  found.compare(own + "priority", before.priority, after.priority);
  found.compare(own + "backup", before.backup, after.backup);
  found.compare(own + "state", std::string(name(before.state)), std::string(name(after.state)));
}

void compare_groups(Comparison& found, const GroupConfig& before, const GroupConfig& after) {
  const std::string path = format("group.{}.", after.name);
  found.compare(path + "algorithm", before.algorithm, after.algorithm);
  found.compare(path + "snat", before.snat, after.snat);
  found.compare(path + "hash", hash_of(before), hash_of(after));
  found.compare(path + "hash_factor", before.hash_factor, after.hash_factor);
  found.compare(path + "slow_start", before.slow_start_s, after.slow_start_s);
  found.compare(path + "affinity", affinity_of(before), affinity_of(after));
  found.compare(path + "check", before.check, after.check);
  const FailoverConfig &was = before.failover, &is = after.failover;
  found.compare(path + "failover", std::string(name(was.failover)), std::string(name(is.failover)));
  found.compare(path + "failures", was.failures, is.failures);
  found.compare(path + "lazy", was.lazy, is.lazy);
  found.compare(path + "min_up", was.min_up, is.min_up);
  found.compare(path + "fail_back", was.fail_back, is.fail_back);
  found.compare(path + "panic", was.panic_percent, is.panic_percent);
  found.compare(path + "on_down", was.cut, is.cut);
  found.compare(path + "drain_timeout", before.drain.timeout_s, after.drain.timeout_s);
  found.compare(path + "on_drain_timeout", before.drain.cut, after.drain.cut);
  found.pair(
      path, before.servers, after.servers, &ServerConfig::name,
      [&](const ServerConfig& a, const ServerConfig& b) { compare_servers(found, path, a, b); });
}

// ---- tables and policies ------------------------------------------------------------

// A compiled configuration with the names of its groups.
struct Named {
  const Snapshot& snapshot;
  const std::vector<GroupConfig>& groups;

  std::string target(Action action, std::uint32_t group) const {
    return action == Action::Steer ? groups[group].name : std::string(nfsteer::name(action));
  }
  std::string aim(const Aim& aim) const {
    if (aim.table) return "table " + snapshot.tables[*aim.table].name();
    return aim.group ? "group " + groups[*aim.group].name : std::string(nfsteer::name(aim.action));
  }
};

// A route by what makes it another one.
using RouteKey = std::tuple<Prefix, std::uint32_t, std::string>;

std::vector<std::pair<RouteKey, std::uint32_t>> sorted_routes(const Named& named,
                                                              const Table& table) {
  std::vector<std::pair<RouteKey, std::uint32_t>> routes;
  routes.reserve(table.routes().size());
  for (const Route& route : table.routes())
    routes.push_back(
        {{route.prefix, route.metric, named.target(route.action, route.group)}, route.weight});
  std::sort(routes.begin(), routes.end());
  return routes;
}

std::string text_of(const std::string& table, const RouteKey& route) {
  const auto& [prefix, metric, target] = route;
  return format("table.{}.routes {} metric {} to {}", table, to_string(prefix), metric, target);
}

void compare_routes(Comparison& found, const Named& old, const Table& before, const Named& present,
                    const Table& after) {
  const auto a = sorted_routes(old, before), b = sorted_routes(present, after);
  std::size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (j == b.size() || (i < a.size() && a[i].first < b[j].first)) {
      found.add("- " + text_of(before.name(), a[i++].first));
    } else if (i == a.size() || b[j].first < a[i].first) {
      found.add("+ " + text_of(after.name(), b[j++].first));
    } else {
      found.compare(text_of(after.name(), a[i].first) + " weight", a[i].second, b[j].second);
      ++i, ++j;
    }
  }
}

std::string default_group_of(const Named& named, const Table& table) {
  const auto group = table.default_group();
  return group ? named.groups[*group].name : std::string();
}

void compare_policies(Comparison& found, const Named& old, const Policy& before,
                      const Named& present, const Policy& after) {
  const std::string path = format("policy.{}.", after.name);
  found.compare(path + "priority", before.priority, after.priority);
  found.compare(path + "dry_run", before.dry_run, after.dry_run);
  found.compare(path + "target", old.aim(before.aim), present.aim(after.aim));
  if (!(before.match == after.match)) found.add(format("~ {}match", path));
}

void compare_engines(Comparison& found, const Named& old, const Named& present) {
  const EngineConfig &a = old.snapshot.engine, &b = present.snapshot.engine;
  const auto hooks = [](const EngineConfig& engine) {
    std::string text;
    for (const Hook hook : engine.hooks)
      text +=
          format("{}{}", text.empty() ? "" : ",", hook == Hook::Output ? "output" : "prerouting");
    return text;
  };
  found.compare("engine.hooks", hooks(a), hooks(b));
  found.compare("engine.on_engine_down", std::string(a.bypass ? "bypass" : "drop"),
                std::string(b.bypass ? "bypass" : "drop"));
  found.compare("engine.on_bad_packet", std::string(name(a.on_bad_packet)),
                std::string(name(b.on_bad_packet)));
  found.compare("engine.on_no_route", old.aim(old.snapshot.no_route),
                present.aim(present.snapshot.no_route));
  found.compare("engine.hash_seed", a.hash_seed, b.hash_seed);
  const auto metrics = [](const EngineConfig& engine) {
    return engine.metrics ? to_string(*engine.metrics) : std::string();
  };
  found.compare("metrics.listen", metrics(a), metrics(b));
  const CacheConfig &c = old.snapshot.cache, &d = present.snapshot.cache;
  found.compare("cache.entries", c.entries, d.entries);
  found.compare("cache.route_entries", c.route_entries, d.route_entries);
  found.compare("cache.timeout", c.timeout_s, d.timeout_s);
}

}  // namespace

Difference Steering::difference(const Prepared& prepared) const {
  const Named old{snapshot(), groups_}, present{*prepared.snapshot, prepared.groups};
  Comparison found;
  compare_engines(found, old, present);
  found.pair("group.", groups_, prepared.groups, &GroupConfig::name,
             [&](const GroupConfig& a, const GroupConfig& b) { compare_groups(found, a, b); });
  found.pair("schedule.", schedules_, prepared.schedules, &ScheduleConfig::name,
             [&](const ScheduleConfig& a, const ScheduleConfig& b) {
               if (!(a == b)) found.add(format("~ schedule.{}", b.name));
             });
  found.pair("check.", checks_, prepared.checks, &CheckConfig::name,
             [&](const CheckConfig& a, const CheckConfig& b) {
               if (!(a == b)) found.add(format("~ check.{}", b.name));
             });
  found.pair("table.", old.snapshot.tables, present.snapshot.tables, &Table::name,
             [&](const Table& a, const Table& b) {
               const std::string path = format("table.{}.", b.name());
               found.compare(path + "priority", a.priority(), b.priority());
               found.compare(path + "default_group", default_group_of(old, a),
                             default_group_of(present, b));
               compare_routes(found, old, a, present, b);
             });
  found.pair(
      "policy.", old.snapshot.policies, present.snapshot.policies, &Policy::name,
      [&](const Policy& a, const Policy& b) { compare_policies(found, old, a, present, b); });
  return std::move(found).take();
}

}  // namespace nfsteer
