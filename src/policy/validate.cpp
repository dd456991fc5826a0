// What compile() refuses in a Config, each with the path to its place.
#include <bit>
#include <iterator>
#include <set>
#include <string_view>
#include <unordered_map>

#include "names.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/policy.hpp"
#include "validate_checks.hpp"

namespace nfsteer {
namespace {

using Path = std::vector<std::string>;

// More suggestions than a person reads are not worth the search.
constexpr std::size_t kSuggestionsMax = 50;

// The indexes of routes that say what an earlier one of the table says. O(n).
std::vector<std::size_t> repeated(const std::vector<RouteConfig>& routes) {
  const auto key_of = [](const RouteConfig& route) {
    const auto* group = std::get_if<ToGroup>(&route.target);
    std::uint64_t key = route.prefix.address.high * 0x9e37'79b9'7f4a'7c15;
    key = (key ^ route.prefix.address.low ^ key >> 32) * 0xd6e8'feb8'6659'fd93;
    key ^= std::uint64_t{route.prefix.length} << 32 | route.metric;
    key = (key ^ key >> 32) * 0xd6e8'feb8'6659'fd93;
    return group ? key ^ std::hash<std::string_view>{}(group->name) : key;
  };
  const auto is_same = [](const RouteConfig& a, const RouteConfig& b) {
    return a.prefix == b.prefix && a.metric == b.metric && a.target == b.target;
  };
  constexpr std::uint32_t kFree = 0xffff'ffff;
  std::vector<std::uint32_t> table(std::bit_ceil(2 * routes.size() + 1), kFree);
  std::vector<std::size_t> found;
  for (std::uint32_t i = 0; i < routes.size(); ++i) {
    std::size_t slot = key_of(routes[i]) >> 20 & (table.size() - 1);
    while (table[slot] != kFree && !is_same(routes[table[slot]], routes[i]))
      slot = (slot + 1) & (table.size() - 1);
    if (table[slot] == kFree)
      table[slot] = i;
    else
      found.push_back(i);
  }
  return found;
}

class Validator {
 public:
  explicit Validator(const Config& config) : config_(config), lookup_(config) {
    for (const GroupConfig& group : config.groups) {
      Families families;
      for (const ServerConfig& server : group.servers)
        (server.address.family == Family::V4 ? families.v4 : families.v6) = true;
      groups_.emplace(group.name, families);
    }
    for (const TableConfig& table : config.tables) tables_.emplace(table.name, Families{});
  }

  std::vector<Problem> run() && {
    check_engine();
    check_cache();
    check_checks();
    check_groups();
    check_sets();
    check_schedules();
    check_country_groups();
    check_tables();
    check_policies();
    return std::move(problems_);
  }

 private:
  // The families that a group has servers of.
  struct Families {
    bool v4 = false, v6 = false;
  };
  using Known = std::unordered_map<std::string_view, Families>;

  void add(Path path, std::string message, std::string remedy = {}) {
    if (problems_.size() < kProblemsMax)
      problems_.push_back({std::move(path), std::move(message), std::move(remedy)});
  }

  void check_engine() {
    const EngineConfig& engine = config_.engine;
    if (engine.queue_count < 1 || engine.queue_count > kQueuesMax ||
        engine.queue_first + engine.queue_count > 65536)
      add({"engine", "queues"}, format("there can be 1 to {} queues", kQueuesMax));
    if (engine.hooks.empty())
      add({"engine", "hooks"}, "no hook: nothing would be steered",
          "use \"prerouting\", \"output\" or both");
    if (auto layout = make_mark_layout(engine.mark.mask); !layout)
      add({"engine", "mark_mask"}, layout.error().message);
    if (engine.on_bad_packet != Action::Accept && engine.on_bad_packet != Action::Drop)
      add({"engine", "on_bad_packet"}, "a packet that cannot be read is accepted or dropped");
    const Path path{"engine", "on_no_route"};
    if (const auto* group = std::get_if<ToGroup>(&engine.on_no_route))
      check_reference(group->name, path, "group", groups_);
    else
      check_action(std::get<Action>(engine.on_no_route), path);
  }

  void check_action(Action action, Path path) {
    if (action == Action::Steer)
      add(std::move(path), "`steer` needs a group", "name the group instead");
  }

  void check_cache() {
    const CacheConfig& cache = config_.cache;
    if (cache.entries > kCacheEntriesMax)
      add({"cache", "entries"}, format("a cache has {} entries at most", kCacheEntriesMax));
    if (cache.route_entries.value_or(0) > kCacheEntriesMax)
      add({"cache", "route_entries"}, format("a cache has {} entries at most", kCacheEntriesMax));
  }

  void check_checks() {
    auto problems = validate_checks(config_.checks, config_.groups);
    std::move(problems.begin(), problems.end(), std::back_inserter(problems_));
  }

  void check_groups() {
    std::set<std::string_view> seen;
    std::size_t servers = 0;
    for (const GroupConfig& group : config_.groups) {
      const Path path{"group", group.name};
      check_name(group.name, path, "group");
      if (!seen.insert(group.name).second)
        add(path, format("group `{}` is defined twice", group.name));
      check_algorithm(group, path);
      check_hashing(group, path);
      check_failover(group, path);
      if (group.affinity) check_affinity(*group.affinity, with(path, "affinity"));
      if (group.servers.empty())
        add(path, format("group `{}` has no servers", group.name), "add `servers = [ ... ]`");
      check_servers(group, path);
      servers += group.servers.size();
    }
    const bool mask_is_good = make_mark_layout(config_.engine.mark.mask).has_value();
    if (mask_is_good && servers > config_.engine.mark.server_max())
      add({"engine", "mark_mask"},
          format("{} servers are more than mark_mask {:#010x} has room for: {}", servers,
                 config_.engine.mark.mask, config_.engine.mark.server_max()),
          "use a mask of more bits");
  }

  void check_algorithm(const GroupConfig& group, Path path) {
    if (find_algorithm(group.algorithm)) return;
    std::vector<std::string_view> names;
    for (const Algorithm& algorithm : algorithms()) names.emplace_back(algorithm.name);
    path.emplace_back("algorithm");
    add(std::move(path), format("unknown algorithm `{}`", printable(group.algorithm)),
        suggestion(group.algorithm, names));
  }

  void check_hashing(const GroupConfig& group, const Path& path) {
    const Algorithm* algorithm = find_algorithm(group.algorithm);
    if (group.hash && algorithm && algorithm->hashes == Algorithm::Hashes::Nothing)
      add(with(path, "hash"), format("the algorithm `{}` hashes nothing", group.algorithm),
          "use hash, maglev, rendezvous or bounded-hash, or leave out `hash`");
    if (group.hash == TupleParts{})
      add(with(path, "hash"), "nothing to hash", "name one part of the flow at least");
    if (group.hash_factor < kHashFactorMin || group.hash_factor > kHashFactorMax)
      add(with(path, "hash_factor"),
          format("a factor is {} to {} percent", kHashFactorMin, kHashFactorMax));
  }

  void check_failover(const GroupConfig& group, const Path& path) {
    const FailoverConfig& failover = group.failover;
    if (failover.failover == Failover::Probe && !group.check)
      add(with(path, "failover"), "to fail over by probes needs a check",
          "add `check = \"NAME\"` and a section [check.NAME]");
    if (failover.failures < 1 || failover.failures > kFailuresMax)
      add(with(path, "failures"), format("failures in a row are 1 to {}", kFailuresMax));
    if (failover.min_up < 1) add(with(path, "min_up"), "one server at least is up");
    if (failover.panic_percent > 100) add(with(path, "panic"), "panic is at 0 to 100 percent");
    if (group.drain.timeout_s < 1) add(with(path, "drain_timeout"), "a time-out is 1 s at least");
  }

  void check_affinity(const AffinityConfig& affinity, const Path& path) {
    if (affinity.v4_bits > bits(Family::V4)) add(with(path, "v4"), "an IPv4 address has 32 bits");
    if (affinity.v6_bits > bits(Family::V6)) add(with(path, "v6"), "an IPv6 address has 128 bits");
    if (affinity.timeout_s == 0) add(with(path, "timeout"), "a time-out is 1 s at least");
    if (affinity.max < kAffinityMin || affinity.max > kAffinityMax)
      add(with(path, "max"), format("clients are {} to {}", kAffinityMin, kAffinityMax));
  }

  void check_servers(const GroupConfig& group, const Path& group_path) {
    std::set<std::string_view> names;
    std::set<std::pair<Address, std::optional<std::uint16_t>>> endpoints;
    for (std::size_t i = 0; i < group.servers.size(); ++i) {
      const ServerConfig& server = group.servers[i];
      Path path = group_path;
      path.insert(path.end(), {"servers", element(i)});
      check_name(server.name, with(path, "name"), "server");
      if (!names.insert(server.name).second)
        add(with(path, "name"),
            format("server `{}` is named twice in group `{}`", server.name, group.name));
      if (!endpoints.insert({server.address, server.port}).second)
        add(with(path, "address"),
            format("group `{}` has this address and port twice", group.name));
      if (server.weight < kWeightMin || server.weight > kWeightMax)
        add(with(path, "weight"), format("a weight is {} to {}", kWeightMin, kWeightMax),
            server.weight == 0 ? "for a server that takes no new flows: state = \"drain\"" : "");
      if (server.max_connections > kMaxConnectionsMax)
        add(with(path, "max_connections"),
            format("a server has {} connections at most", kMaxConnectionsMax));
      if (server.priority < 0 || server.priority > kServerPriorityMax)
        add(with(path, "priority"), format("a priority is 0 to {}", kServerPriorityMax));
      if (server.port == 0) add(with(path, "port"), "a port is 1 to 65535");
    }
  }

  void check_sets() {
    std::set<std::string_view> seen;
    for (const SetConfig& set : config_.sets) {
      const Path path{"set", set.name};
      check_name(set.name, path, "set");
      if (!seen.insert(set.name).second) add(path, format("set `{}` is defined twice", set.name));
      for (const Prefix& prefix : set.prefixes)
        if (const char* wrong = what_is_wrong(prefix)) add(path, wrong);
      set_sizes_.emplace(set.name, set.prefixes.size());
      if (set.prefixes.empty())
        add(path, format("set `{}` has no prefixes", set.name),
            "add `prefixes = [ ... ]` or `files = [ ... ]`");
    }
  }

  void check_schedules() {
    std::set<std::string_view> seen;
    for (const ScheduleConfig& schedule : config_.schedules) {
      const Path path{"schedule", schedule.name};
      check_name(schedule.name, path, "schedule");
      if (!seen.insert(schedule.name).second)
        add(path, format("schedule `{}` is defined twice", schedule.name));
      if (const auto known = check_timezone(schedule.timezone); !known)
        add(with(path, "timezone"), known.error().message);
      if (schedule.windows.empty())
        add(path, format("schedule `{}` has no windows", schedule.name), "add `windows = [ ... ]`");
      for (std::size_t i = 0; i < schedule.except.size(); ++i) {
        const auto& [year, month, day] = schedule.except[i];
        if (!parse_date(format("{:04}-{:02}-{:02}", year, month, day)))
          add(with(with(path, "except"), element(i)), "no calendar has this day");
      }
      for (std::size_t i = 0; i < schedule.windows.size(); ++i)
        check_window(schedule.windows[i], with(with(path, "windows"), element(i)));
    }
  }

  void check_window(const Window& window, const Path& path) {
    constexpr std::chrono::minutes kDay{24 * 60};
    if (window.days == 0 || window.days > kEveryDay)
      add(with(path, "days"), "a window is on one day of the week at least");
    if (window.from < std::chrono::minutes(0) || window.from >= kDay)
      add(with(path, "from"), "a window starts at 00:00 to 23:59");
    if (window.to <= std::chrono::minutes(0) || window.to > kDay)
      add(with(path, "to"), "a window ends at 00:01 to 24:00");
  }

  void check_country_groups() {
    if (config_.country_groups.size() > kCountryGroupsMax) {
      add({"geoip", "groups"},
          format("{} groups of countries are more than the {} that are supported",
                 config_.country_groups.size(), kCountryGroupsMax));
      return;
    }
    for (const auto& [name, members] : config_.country_groups) {
      const Path path{"geoip", "groups", name};
      check_name(name, path, "group of countries");
      if (members.empty()) add(path, format("group `{}` has no countries", name));
      if (!config_.countries) continue;
      if (const auto ids = config_.countries->resolve(name, config_.country_groups); !ids)
        add(path, ids.error().message);
    }
  }

  void check_tables() {
    std::set<std::string_view> seen;
    std::size_t routes = 0;
    for (const TableConfig& table : config_.tables) {
      const Path path{"table", table.name};
      check_name(table.name, path, "table");
      if (!seen.insert(table.name).second)
        add(path, format("table `{}` is defined twice", table.name));
      if (table.default_group)
        check_reference(*table.default_group, with(path, "default_group"), "group", groups_);
      for (std::size_t i = 0; i < table.routes.size(); ++i) check_route(table, i);
      for (const std::size_t i : repeated(table.routes))
        add(route_path(table, i),
            format("the route to {} is there twice", to_string(table.routes[i].prefix)),
            "give the second another metric, or the first more weight");
      routes += table.routes.size();
    }
    if (routes > kRoutesMax)
      add({"table"},
          format("{} routes are more than the {} that are supported", routes, kRoutesMax));
  }

  static Path route_path(const TableConfig& table, std::size_t index) {
    return {"table", table.name, "routes", element(index)};
  }

  void check_route(const TableConfig& table, std::size_t index) {
    const RouteConfig& route = table.routes[index];
    if (const char* wrong = what_is_wrong(route.prefix))
      add(with(route_path(table, index), "prefix"), wrong);
    if (route.weight < kWeightMin || route.weight > kWeightMax)
      add(with(route_path(table, index), "weight"),
          format("a weight is {} to {}", kWeightMin, kWeightMax));
    const auto* target = std::get_if<ToGroup>(&route.target);
    if (!target) {
      if (std::get<Action>(route.target) == Action::Steer)
        check_action(Action::Steer, with(route_path(table, index), "action"));
      return;
    }
    const auto group = groups_.find(target->name);
    if (group == groups_.end()) {
      check_reference(target->name, with(route_path(table, index), "group"), "group", groups_);
      return;
    }
    const auto [v4, v6] = group->second;
    const bool is_v4 = route.prefix.address.family == Family::V4;
    if ((v4 || v6) && !(is_v4 ? v4 : v6))
      add(with(route_path(table, index), "group"),
          format("group `{}` has no {} server for {}", target->name, is_v4 ? "IPv4" : "IPv6",
                 to_string(route.prefix)));
  }

  void check_policies() {
    std::unordered_map<std::string_view, bool> seen;
    std::size_t rules = 0;
    for (std::size_t i = 0; i < config_.policies.size(); ++i) {
      const PolicyConfig& policy = config_.policies[i];
      rules += std::max<std::size_t>(1, policy.match.size());
      check_policy_name(policy, i);
      if (!seen.emplace(policy.name, true).second)
        add({"policy", element(i), "name"}, format("policy `{}` is defined twice", policy.name));
      if (const auto* group = std::get_if<ToGroup>(&policy.target)) {
        if (!groups_.contains(group->name))
          check_reference(group->name, {"policy", element(i), "group"}, "group", groups_);
      } else if (const auto* table = std::get_if<ToTable>(&policy.target)) {
        if (!tables_.contains(table->name))
          check_reference(table->name, {"policy", element(i), "table"}, "table", tables_);
      } else if (std::get<Action>(policy.target) == Action::Steer) {
        check_action(Action::Steer, {"policy", element(i), "action"});
      }
      for (std::size_t k = 0; k < policy.match.size(); ++k) check_match(policy.match[k], i, k);
    }
    if (values_ > kValuesMax)
      add({"policy"},
          format("the policies have {} values with those of their sets, more than the {} that are "
                 "supported",
                 values_, kValuesMax),
          "use large sets in few policies");
    if (rules > kRulesMax)
      add({"policy"},
          format("{} policies and alternatives are more than the {} that are supported", rules,
                 kRulesMax),
          "name many prefixes by one set");
  }

  void check_policy_name(const PolicyConfig& policy, std::size_t index) {
    if (!is_name(policy.name))
      check_name(policy.name, {"policy", element(index), "name"}, "policy");
  }

  void check_match(const Match& match, std::size_t policy, std::size_t alternative) {
    const auto path = [&](const Criterion& criterion) {
      return Path{"policy", element(policy), "match", element(alternative), criterion.field->name};
    };
    for (const Criterion& criterion : match) {
      if (!criterion.field) {
        add({"policy", element(policy), "match", element(alternative)},
            "a criterion without a field");
        continue;
      }
      if (criterion.any.empty() && criterion.none.empty())
        add(path(criterion), format("`{}` must have at least one value", criterion.field->name));
      const auto is_again = [&](const Criterion& other) {
        return &other < &criterion && other.field == criterion.field;
      };
      if (std::any_of(match.begin(), match.end(), is_again))
        add(path(criterion), format("`{}` is there twice", criterion.field->name));
      for (const auto* values : {&criterion.any, &criterion.none})
        for (const Value& value : *values) {
          const auto wrong = check_value(*criterion.field, value);
          if (!wrong) add(path(criterion), wrong.error().message, remedy_for(criterion));
        }
    }
  }

  Result<void> check_value(const Field& field, const Value& value) {
    ++values_;
    if (const auto* name = std::get_if<std::string>(&value)) {
      if (field.takes_sets && !name->empty())
        if (const auto set = set_sizes_.find(std::string_view(*name).substr(1));
            set != set_sizes_.end())
          values_ += set->second;
      return lookup_.check(field, *name, problems_.size() < kSuggestionsMax);
    }
    if (const char* wrong = what_is_wrong(field, value)) return fail(wrong);
    return {};
  }

  const char* remedy_for(const Criterion& criterion) const {
    const bool needs_database = criterion.field->takes_countries && !config_.countries;
    return needs_database ? "add [geoip] with `country = \"FILE.mmdb\"`" : "";
  }

  // What is wrong with a value that was made in code; nullptr where nothing is.
  static const char* what_is_wrong(const Field& field, const Value& value) {
    if (const auto* prefix = std::get_if<Prefix>(&value))
      return field.address ? what_is_wrong(*prefix) : "a prefix, where the field has none";
    if (!field.number) return "a number, where the field has none";
    if (const auto* interval = std::get_if<Interval>(&value))
      return interval->first <= interval->last ? nullptr : "an interval that runs backward";
    const auto& masked = std::get<Masked>(value);
    return (masked.value & ~masked.mask) == 0 ? nullptr : "a value with bits outside its mask";
  }

  static const char* what_is_wrong(const Prefix& prefix) {
    if (prefix.length > bits(prefix.address.family)) return "a prefix that is too long";
    return masked(prefix.address, prefix.length) == prefix.address ? nullptr
                                                                   : "a prefix with host bits set";
  }

  void check_name(const std::string& name, Path path, const char* what) {
    if (auto problem = nfsteer::check_name(name, std::move(path), what))
      problems_.push_back(*std::move(problem));
  }

  void check_reference(const std::string& name, Path path, const char* what, const Known& names) {
    if (names.contains(name)) return;
    std::vector<std::string_view> known;
    if (problems_.size() < kSuggestionsMax)
      for (const auto& [each, families] : names) known.push_back(each);
    std::sort(known.begin(), known.end());
    add(std::move(path), format("{} `{}` does not exist", what, printable(name)),
        suggestion(name, known));
  }

  static Path with(Path path, std::string key) {
    path.push_back(std::move(key));
    return path;
  }

  const Config& config_;
  Names lookup_;
  std::unordered_map<std::string_view, std::size_t> set_sizes_;
  std::size_t values_ = 0;  // of all criteria, names of sets as what they stand for
  Known groups_, tables_;
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> validate(const Config& config) {
  return Validator(config).run();
}

}  // namespace nfsteer
