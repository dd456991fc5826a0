#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>

#include "nfsteer/base/text.hpp"
#include "nfsteer/netlink.hpp"

using namespace nfsteer;
using namespace nfsteer::netlink;

namespace {

Address address(std::string_view text) {
  return parse_address(text).value();
}
Prefix prefix(std::string_view text) {
  return parse_prefix(text).value();
}

// One criterion of each pair: "daddr", "10.0.0.0/8".
Match match(std::vector<std::pair<const char*, std::string_view>> criteria) {
  Match made;
  for (const auto& [field, value] : criteria) {
    made.push_back({find_field(field), {}, {}});
    REQUIRE(made.back().add(value).has_value());
  }
  return made;
}

RouteConfig route(std::string_view to, RouteTarget target, std::uint32_t metric = 0,
                  std::uint32_t weight = 1) {
  return {prefix(to), std::move(target), metric, weight};
}
const ToGroup kWeb{"web"}, kDns{"dns"};

// Two groups, of which the second has no IPv6 server.
Config two_groups() {
  Config config;
  config.groups = {
      {"web",
       "round-robin",
       true,
       {{"a", address("10.2.0.1"), 8080, 3}, {"six", address("2001:db8:2::1"), {}, 1}}},
      {"dns", "round-robin", false, {{"b", address("10.2.0.2"), {}, 1}}},
  };
  return config;
}

Ruleset make(const Config& config) {
  for (const Problem& problem : validate(config)) FAIL(problem.message);
  GroupStates states;
  const auto snapshot = compile(config, states);
  return make_ruleset(*snapshot, situation_at(*snapshot, Time()));
}

std::vector<std::string> scope_of(const Ruleset& ruleset) {
  std::vector<std::string> ranges;
  for (const auto& range : ruleset.scope)
    ranges.push_back(to_string(range.first) + "-" + to_string(range.last));
  return ranges;
}

std::vector<std::string> fallback_of(const Ruleset& ruleset) {
  std::vector<std::string> ranges;
  for (const auto& range : ruleset.fallback)
    ranges.push_back(format("{}-{} {}", to_string(range.first), to_string(range.last),
                            ruleset.fallback_groups[range.group].name));
  return ranges;
}

// "web 4: 3 to 1, 1 drop": weight and server's id, or weight and action.
std::vector<std::string> members_of(const Ruleset& ruleset) {
  std::vector<std::string> groups;
  for (const auto& group : ruleset.fallback_groups) {
    std::vector<std::string> members;
    for (const auto& [id, weight, action] : group.members)
      members.push_back(
          format("{} {}", weight, action == Action::Steer ? format("to {}", id) : name(action)));
    groups.push_back(
        format("{} {}: {}", group.name, group.family == Family::V4 ? 4 : 6, join(members, ", ")));
  }
  return groups;
}

const std::vector<std::string> kEverything = {"0.0.0.0-223.255.255.255",
                                              "::-feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};

}  // namespace

TEST_CASE("make_ruleset: servers and the engine's settings") {
  Config config = two_groups();
  config.engine.queue_first = 4;
  config.engine.queue_count = 3;
  config.engine.bypass = false;
  config.engine.hooks = {Hook::Output};
  const Ruleset ruleset = make(config);
  CHECK(ruleset.queue_first == 4);
  CHECK(ruleset.queue_count == 3);
  CHECK_FALSE(ruleset.bypass);
  CHECK_FALSE(ruleset.prerouting);
  CHECK(ruleset.output);
  REQUIRE(ruleset.servers.size() == 3);
  CHECK(ruleset.servers[0].name == "web/a");
  CHECK(ruleset.servers[0].id == 1);
  CHECK(ruleset.servers[0].port == 8080);
  CHECK(ruleset.servers[0].snat);
  CHECK(ruleset.servers[1].name == "web/six");
  CHECK(ruleset.servers[1].address == address("2001:db8:2::1"));
  CHECK(ruleset.servers[2].name == "dns/b");
  CHECK_FALSE(ruleset.servers[2].port.has_value());
  CHECK_FALSE(ruleset.servers[2].snat);
}

TEST_CASE("make_ruleset: the scope is what policies and routes may match") {
  const Match ten = match({{"daddr", "10.8.0.0/16"}, {"dport", "80"}});
  const struct {
    const char* name;
    std::vector<PolicyConfig> policies;
    std::vector<RouteConfig> routes;
    std::vector<std::string> want;
  } cases[] = {
      {"nothing", {}, {}, {}},
      {"a route", {}, {route("10.9.9.9/32", kWeb)}, {"10.9.9.9-10.9.9.9"}},
      {"routes that steer nowhere",
       {},
       {route("10.9.9.8/32", Action::Accept), route("10.9.9.9/32", Action::Drop)},
       {"10.9.9.8-10.9.9.9"}},
      {"a policy's destinations",
       {{.name = "p", .match = {ten}, .target = kWeb}},
       {route("10.9.9.9/32", kWeb)},
       {"10.8.0.0-10.8.255.255", "10.9.9.9-10.9.9.9"}},
      {"of a policy that only counts",
       {{.name = "p", .dry_run = true, .match = {ten}, .target = kWeb}},
       {},
       {"10.8.0.0-10.8.255.255"}},
      {"of a policy that is not enabled",
       {{.name = "p", .enabled = false, .match = {ten}, .target = kWeb}},
       {},
       {}},
      {"of a policy with a table",
       {{.name = "p", .match = {ten}, .target = ToTable{"main"}}},
       {},
       {"10.8.0.0-10.8.255.255"}},
      {"of alternatives",
       {{.name = "p", .match = {ten, match({{"daddr", "@v6"}})}, .target = kWeb}},
       {},
       {"10.8.0.0-10.8.255.255", "2001:db8:9::9-2001:db8:9::9"}},
      {"one alternative without destinations",
       {{.name = "p", .match = {ten, match({{"dport", "80"}})}, .target = kWeb}},
       {},
       kEverything},
      {"destinations that are excluded",
       {{.name = "p", .match = {match({{"daddr", "!10.0.0.0/8"}})}, .target = kWeb}},
       {},
       kEverything},
      {"a policy without criteria",
       {{.name = "p", .match = {}, .target = Action::Drop}},
       {},
       kEverything},
      {"both families",
       {},
       {route("2001:db8:9::9/128", kWeb), route("10.9.9.9/32", kWeb)},
       {"10.9.9.9-10.9.9.9", "2001:db8:9::9-2001:db8:9::9"}},
      {"no multicast",
       {{.name = "p", .match = {match({{"daddr", "224.0.0.0/4"}})}, .target = Action::Drop}},
       {route("ff02::/16", kWeb)},
       {}},
  };
  for (const auto& each : cases) {
    CAPTURE(each.name);
    Config config = two_groups();
    config.sets = {{"v6", {prefix("2001:db8:9::9/128")}}};
    config.policies = each.policies;
    config.tables = {{"main", 0, {}, each.routes}};
    CHECK(scope_of(make(config)) == each.want);
  }
}

TEST_CASE("make_ruleset: the scope is everything that a group may get which gets the rest") {
  const struct {
    const char* name;
    std::optional<std::string> default_group;
    RouteTarget no_route;
    std::vector<std::string> want;
  } cases[] = {
      {"nobody", {}, Action::Accept, {}},
      {"default group", "web", Action::Accept, kEverything},
      {"default group of one family", "dns", Action::Accept, {kEverything[0]}},
      {"no route", {}, kWeb, kEverything},
      {"no route, one family", {}, kDns, {kEverything[0]}},
      {"dropped", {}, Action::Drop, kEverything},
      {"rejected", {}, Action::Reject, kEverything},
  };
  for (const auto& each : cases) {
    CAPTURE(each.name);
    Config config = two_groups();
    config.tables = {{"main", 0, each.default_group, {}}};
    config.engine.on_no_route = each.no_route;
    CHECK(scope_of(make(config)) == each.want);
  }
}

TEST_CASE("make_ruleset: where the scope has too many ranges, all of the family is queued") {
  for (const std::uint32_t count : {65'536u, 65'537u}) {
    Config config = two_groups();
    std::vector<RouteConfig> routes = {route("2001:db8:9::9/128", kWeb)};
    for (std::uint32_t i = 0; i < count; ++i)
      routes.push_back({{Address::v4(0x10000000 + 2 * i), 32}, kWeb});
    config.tables = {{"main", 0, {}, std::move(routes)}};
    const auto ranges = scope_of(make(config));
    if (count == 65'536)
      CHECK(ranges.size() == 65'536 + 1);
    else
      CHECK(ranges == std::vector<std::string>{kEverything[0], "2001:db8:9::9-2001:db8:9::9"});
  }
}

TEST_CASE("make_ruleset: the fallback is what the tables decide") {
  const struct {
    const char* name;
    std::vector<TableConfig> tables;
    std::vector<std::string> want;
  } cases[] = {
      {"longest prefix",
       {{"main", 0, {}, {route("10.9.9.9/32", kDns), route("10.9.9.8/30", kWeb)}}},
       {"10.9.9.8-10.9.9.8 web", "10.9.9.9-10.9.9.9 dns", "10.9.9.10-10.9.9.11 web"}},
      {"lowest metric",
       {{"main", 0, {}, {route("10.9.9.9/32", kDns, 20), route("10.9.9.9/32", kWeb, 10)}}},
       {"10.9.9.9-10.9.9.9 web"}},
      {"highest priority",
       {{"low", 1, {}, {route("10.9.9.9/32", kDns)}},
        {"high", 2, {}, {route("10.9.9.8/31", kWeb)}}},
       {"10.9.9.8-10.9.9.9 web"}},
      {"actions",
       {{"main",
         0,
         {},
         {route("10.9.9.8/32", Action::Drop), route("10.9.9.9/32", Action::Reject)}}},
       {"10.9.9.8-10.9.9.8 drop", "10.9.9.9-10.9.9.9 reject"}},
      {"what is accepted is left out, also of what lies around it",
       {{"main", 0, {}, {route("10.9.9.9/32", Action::Accept), route("10.9.9.8/30", kWeb)}},
        {"low", -1, {}, {route("10.9.9.9/32", kWeb)}}},
       {"10.9.9.8-10.9.9.8 web", "10.9.9.10-10.9.9.11 web"}},
      {"a default group goes behind its own table's routes, before other tables",
       {{"high", 2, "dns", {route("10.0.0.0/8", kWeb), route("0.0.0.0/1", Action::Drop)}},
        {"low", 1, {}, {route("10.0.0.0/8", kDns), route("192.0.2.0/24", kWeb)}}},
       {"0.0.0.0-9.255.255.255 drop", "10.0.0.0-10.255.255.255 web",
        "11.0.0.0-127.255.255.255 drop", "128.0.0.0-223.255.255.255 dns"}},
      {"a route to everything goes before the default group",
       {{"main", 0, "dns", {route("0.0.0.0/0", kWeb)}}},
       {"0.0.0.0-223.255.255.255 web"}},
  };
  for (const auto& each : cases) {
    CAPTURE(each.name);
    Config config = two_groups();
    config.tables = each.tables;
    CHECK(fallback_of(make(config)) == each.want);
  }
}

TEST_CASE("make_ruleset: what no table takes goes the way of on_no_route in the fallback, too") {
  const struct {
    RouteTarget no_route;
    std::vector<std::string> want;
  } cases[] = {
      {Action::Accept, {"10.0.0.0-10.255.255.255 web"}},
      {Action::Drop,
       {"0.0.0.0-9.255.255.255 drop", "10.0.0.0-10.255.255.255 web",
        "11.0.0.0-223.255.255.255 drop", kEverything[1] + " drop"}},
      {Action::Reject,
       {"0.0.0.0-9.255.255.255 reject", "10.0.0.0-10.255.255.255 web",
        "11.0.0.0-223.255.255.255 reject", kEverything[1] + " reject"}},
      {kDns,
       {"0.0.0.0-9.255.255.255 dns", "10.0.0.0-10.255.255.255 web",
        "11.0.0.0-223.255.255.255 dns"}},
  };
  for (const auto& each : cases) {
    Config config = two_groups();
    config.engine.on_no_route = each.no_route;
    config.tables = {{"main", 0, {}, {route("10.0.0.0/8", kWeb)}}};
    CHECK(fallback_of(make(config)) == each.want);
    // Of what policies accept the kernel knows nothing: then it refuses nothing.
    config.policies.push_back({.name = "ssh", .match = {}, .target = Action::Accept});
    const bool refuses = std::holds_alternative<Action>(each.no_route);
    CHECK(fallback_of(make(config)) == (refuses ? cases[0].want : each.want));
  }
}

TEST_CASE("make_ruleset: a route whose group has no server of its family is passed over") {
  Snapshot snapshot;
  snapshot.groups.resize(2);
  snapshot.groups[0].name = "empty";
  snapshot.groups[1].name = "web";
  snapshot.groups[1].v4.servers = {{"a", address("10.2.0.1"), {}, 1, 1}};
  GroupStates states;
  GroupState state;
  snapshot.gauges = &states.gauges;
  for (Group& group : snapshot.groups) {
    group.algorithm = "weighted";
    group.v4.state = &state.v4;
    group.v6.state = &state.v6;
  }
  const auto to = [](std::string_view destination, std::uint32_t group, std::uint32_t metric = 0) {
    return Route{.prefix = prefix(destination), .group = group, .metric = metric};
  };
  const struct {
    const char* name;
    std::vector<Route> routes;
    std::optional<std::uint32_t> default_group;
    std::vector<std::string> want;
  } cases[] = {
      {"to the next shorter prefix",
       {to("10.9.9.9/32", 0), to("10.9.9.8/31", 1)},
       {},
       {"10.9.9.8-10.9.9.9 web"}},
      {"to the next metric",
       {to("10.9.9.9/32", 0, 1), to("10.9.9.9/32", 1, 2)},
       {},
       {"10.9.9.9-10.9.9.9 web"}},
      {"to another that shares",
       {to("10.9.9.9/32", 0), to("10.9.9.9/32", 1)},
       {},
       {"10.9.9.9-10.9.9.9 web"}},
      {"to the default group", {to("10.9.9.9/32", 0)}, 1, {"0.0.0.0-223.255.255.255 web"}},
      {"to none", {to("10.9.9.9/32", 0)}, 0, {}},
      {"but an action needs no server",
       {{.prefix = prefix("10.9.9.9/32"), .action = Action::Drop}, to("10.9.9.8/31", 1)},
       {},
       {"10.9.9.8-10.9.9.8 web", "10.9.9.9-10.9.9.9 drop"}},
  };
  for (const auto& each : cases) {
    CAPTURE(each.name);
    snapshot.tables.clear();
    snapshot.tables.emplace_back("main", 0, each.routes, each.default_group);
    CHECK(fallback_of(make_ruleset(snapshot, situation_at(snapshot, Time()))) == each.want);
  }
}

TEST_CASE("make_ruleset: a fallback group has the family's servers and weights") {
  Config config = two_groups();
  config.tables = {{"main", 0, {}, {route("10.9.9.9/32", kWeb), route("2001:db8::/32", kWeb)}}};
  const Ruleset ruleset = make(config);
  CHECK(members_of(ruleset) == std::vector<std::string>{"web 4: 3 to 1", "web 6: 1 to 2"});
}

TEST_CASE("make_ruleset: routes of one metric share the fallback by their weights") {
  Config config = two_groups();
  config.groups[1].servers.push_back({"c", address("10.2.0.3"), {}, 3});
  config.tables = {{"main",
                    0,
                    {},
                    {route("10.9.9.1/32", kWeb, 0, 3), route("10.9.9.1/32", kDns, 0, 1),
                     // The same shares, in another order.
                     route("10.9.9.2/32", kDns, 7, 1), route("10.9.9.2/32", kWeb, 7, 3),
                     route("10.9.9.3/32", Action::Drop, 0, 1), route("10.9.9.3/32", kWeb, 0, 4),
                     route("10.9.9.4/32", kWeb, 0, 9), route("10.9.9.6/32", kWeb, 0, 2),
                     route("10.9.9.5/32", Action::Accept), route("10.9.9.5/32", Action::Reject)}}};
  const Ruleset ruleset = make(config);
  CHECK(fallback_of(ruleset) ==
        std::vector<std::string>{"10.9.9.1-10.9.9.2 shared.0", "10.9.9.3-10.9.9.3 shared.1",
                                 "10.9.9.4-10.9.9.4 web", "10.9.9.5-10.9.9.5 shared.3",
                                 "10.9.9.6-10.9.9.6 web"});
  CHECK(members_of(ruleset) ==
        std::vector<std::string>{"shared.0 4: 750000 to 1, 62500 to 3, 187500 to 4",
                                 "shared.1 4: 800000 to 1, 200000 drop", "web 4: 3 to 1",
                                 "shared.3 4: 500000 accept, 500000 reject"});
}

TEST_CASE("make_ruleset: the least weight has a part of the fallback") {
  Config config = two_groups();
  config.groups[0].servers = {{"a", address("10.2.0.1"), {}, 10'000},
                              {"z", address("10.2.0.9"), {}, 1}};
  config.tables = {
      {"main", 0, {}, {route("10.9.9.1/32", kWeb, 0, 1), route("10.9.9.1/32", kDns, 0, 10'000)}}};
  CHECK(members_of(make(config)) ==
        std::vector<std::string>{"shared.0 4: 98 to 1, 1 to 2, 999900 to 3"});
}

// ---- beside decide() --------------------------------------------------------

namespace {

// Tables whose prefixes contain one another and are often equal, and no policy.
class RandomConfig {
 public:
  explicit RandomConfig(std::uint32_t seed) : random_(seed) {}

  Config make() {
    Config config = two_groups();
    config.engine.on_no_route = one_of<RouteTarget>({Action::Accept, Action::Drop, kWeb, kDns});
    for (std::uint32_t i = below(4); i > 0; --i) {
      TableConfig table{.name = format("t{}", i), .default_group = {}, .routes = {}};
      table.priority = static_cast<std::int32_t>(below(3));
      if (below(4) == 0) table.default_group = one_of<std::string>({"web", "dns"});
      for (std::uint32_t count = below(12); count > 0; --count) add_route(table.routes);
      config.tables.push_back(std::move(table));
    }
    return config;
  }

  // One of those to which most routes lead.
  Address address(Family family) {
    return family == Family::V4 ? Address::v4(0x0a000000 + (below(5) << 22))
                                : Address::v6(0x2001'0db8'0000'0000 + below(5), 0);
  }

 private:
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }

  template <typename T>
  T one_of(const std::vector<T>& choices) {
    return choices[below(static_cast<std::uint32_t>(choices.size()))];
  }

  void add_route(std::vector<RouteConfig>& routes) {
    const bool v4 = below(2) == 0;
    const auto length =
        v4 ? one_of<std::uint8_t>({0, 8, 9, 10}) : one_of<std::uint8_t>({0, 62, 64});
    const Prefix to{masked(address(v4 ? Family::V4 : Family::V6), length), length};
    RouteTarget target =
        one_of<RouteTarget>({Action::Accept, Action::Drop, Action::Reject, kWeb, v4 ? kDns : kWeb});
    const RouteConfig made{to, std::move(target), below(2), 1};
    if (std::find(routes.begin(), routes.end(), made) == routes.end()) routes.push_back(made);
  }

  std::mt19937 random_;
};

using Ends = std::set<std::string>;  // servers by their ids, and actions

std::string end_of(Action action, ServerId server) {
  return action == Action::Steer ? format("to {}", server) : name(action);
}

Ends ends_by_fallback(const Ruleset& ruleset, const Address& destination) {
  for (const auto& [first, last, group] : ruleset.fallback) {
    if (destination < first || last < destination) continue;
    Ends ends;
    for (const auto& [id, weight, action] : ruleset.fallback_groups[group].members)
      ends.insert(end_of(action, id));
    return ends;
  }
  return {name(Action::Accept)};
}

Ends ends_by_decide(const Snapshot& snapshot, const Address& destination) {
  constexpr std::uint16_t kFlows = 100;  // enough that each end has some
  const Situation situation = situation_at(snapshot, Time());
  Ends ends;
  Flow flow;
  flow.tuple = {destination, destination, 0, 80, protocol::kUdp};
  for (flow.tuple.source_port = 0; flow.tuple.source_port < kFlows; ++flow.tuple.source_port) {
    const Decision decision = decide(snapshot, situation, flow);
    ends.insert(end_of(decision.action, decision.server));
  }
  return ends;
}

bool is_queued(const Ruleset& ruleset, const Address& destination) {
  return std::any_of(ruleset.scope.begin(), ruleset.scope.end(),
                     [&](const Ruleset::ScopeRange& range) {
                       return range.first <= destination && destination <= range.last;
                     });
}

}  // namespace

TEST_CASE("make_ruleset: without policies the fallback does what decide() does") {
  for (std::uint32_t seed = 0; seed < 500; ++seed) {
    CAPTURE(seed);
    RandomConfig random(seed);
    const Config config = random.make();
    REQUIRE(validate(config).empty());
    GroupStates states;
    const auto snapshot = compile(config, states);
    const Ruleset ruleset = make_ruleset(*snapshot, situation_at(*snapshot, Time()));
    for (int i = 0; i < 20; ++i) {
      const Address destination = random.address(i % 2 == 0 ? Family::V4 : Family::V6);
      CAPTURE(to_string(destination));
      const Ends ends = ends_by_decide(*snapshot, destination);
      CHECK(ends_by_fallback(ruleset, destination) == ends);
      if (ends != Ends{"accept"}) CHECK(is_queued(ruleset, destination));
    }
  }
}
