#include <doctest/doctest.h>

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

Criterion criterion(const char* field, std::string_view value) {
  Criterion made{find_field(field), {}, {}};
  REQUIRE(made.add(value).has_value());
  return made;
}

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
  return make_ruleset(*compile(config, states));
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
  struct {
    const char* name;
    std::vector<PolicyConfig> policies;
    std::vector<RouteConfig> routes;
    std::vector<std::string> want;
  } const cases[] = {
      {"nothing", {}, {}, {}},
      {"a route", {}, {{prefix("10.9.9.9/32"), "web", 0}}, {"10.9.9.9-10.9.9.9"}},
      {"a policy's destinations",
       {{"p", 0, {criterion("daddr", "10.8.0.0/16")}, ToGroup{"web"}}},
       {{prefix("10.9.9.9/32"), "web", 0}},
       {"10.8.0.0-10.8.255.255", "10.9.9.9-10.9.9.9"}},
      {"a policy without destinations",
       {{"p", 0, {criterion("dport", "80")}, ToGroup{"web"}}},
       {},
       kEverything},
      {"a policy without criteria", {{"p", 0, {}, Action::Drop}}, {}, kEverything},
      {"both families",
       {},
       {{prefix("2001:db8:9::9/128"), "web", 0}, {prefix("10.9.9.9/32"), "web", 0}},
       {"10.9.9.9-10.9.9.9", "2001:db8:9::9-2001:db8:9::9"}},
      {"no multicast",
       {{"p", 0, {criterion("daddr", "224.0.0.0/4")}, Action::Drop}},
       {{prefix("ff02::/16"), "web", 0}},
       {}},
  };
  for (const auto& each : cases) {
    CAPTURE(each.name);
    Config config = two_groups();
    config.policies = each.policies;
    config.tables = {{"main", 0, each.routes}};
    CHECK(scope_of(make(config)) == each.want);
  }
}

TEST_CASE("make_ruleset: where the scope has too many ranges, all of the family is queued") {
  for (const std::uint32_t count : {65'536u, 65'537u}) {
    Config config = two_groups();
    std::vector<RouteConfig> routes = {{prefix("2001:db8:9::9/128"), "web", 0}};
    for (std::uint32_t i = 0; i < count; ++i)
      routes.push_back({{Address::v4(0x10000000 + 2 * i), 32}, "web", 0});
    config.tables = {{"main", 0, std::move(routes)}};
    const auto ranges = scope_of(make(config));
    if (count == 65'536)
      CHECK(ranges.size() == 65'536 + 1);
    else
      CHECK(ranges == std::vector<std::string>{kEverything[0], "2001:db8:9::9-2001:db8:9::9"});
  }
}

TEST_CASE("make_ruleset: the fallback is what the tables decide") {
  struct {
    const char* name;
    std::vector<TableConfig> tables;
    std::vector<std::string> want;
  } const cases[] = {
      {"longest prefix",
       {{"main", 0, {{prefix("10.9.9.9/32"), "dns", 0}, {prefix("10.9.9.8/30"), "web", 0}}}},
       {"10.9.9.8-10.9.9.8 web", "10.9.9.9-10.9.9.9 dns", "10.9.9.10-10.9.9.11 web"}},
      {"lowest metric",
       {{"main", 0, {{prefix("10.9.9.9/32"), "dns", 20}, {prefix("10.9.9.9/32"), "web", 10}}}},
       {"10.9.9.9-10.9.9.9 web"}},
      {"of equals the first",
       {{"main", 0, {{prefix("10.9.9.9/32"), "dns", 1}, {prefix("10.9.9.9/32"), "web", 1}}}},
       {"10.9.9.9-10.9.9.9 dns"}},
      {"highest priority",
       {{"low", 1, {{prefix("10.9.9.9/32"), "dns", 0}}},
        {"high", 2, {{prefix("10.9.9.8/31"), "web", 0}}}},
       {"10.9.9.8-10.9.9.9 web"}},
  };
  for (const auto& each : cases) {
    CAPTURE(each.name);
    Config config = two_groups();
    config.tables = each.tables;
    CHECK(fallback_of(make(config)) == each.want);
  }
}

TEST_CASE("make_ruleset: a route whose group has no server of its family is passed over") {
  Snapshot snapshot;
  snapshot.groups.resize(2);
  snapshot.groups[0].name = "empty";
  snapshot.groups[1].name = "web";
  snapshot.groups[1].v4.servers = {{"a", address("10.2.0.1"), {}, 1, 1}};
  snapshot.tables.emplace_back(
      "main", 0, std::vector<Route>{{prefix("10.9.9.9/32"), 0, 0}, {prefix("10.9.9.8/31"), 1, 0}});
  CHECK(fallback_of(make_ruleset(snapshot)) == std::vector<std::string>{"10.9.9.8-10.9.9.9 web"});
}

TEST_CASE("make_ruleset: a fallback group has the family's servers and weights") {
  Config config = two_groups();
  config.tables = {
      {"main", 0, {{prefix("10.9.9.9/32"), "web", 0}, {prefix("2001:db8::/32"), "web", 0}}}};
  const Ruleset ruleset = make(config);
  REQUIRE(ruleset.fallback_groups.size() == 2);
  REQUIRE(ruleset.fallback_groups[0].members.size() == 1);
  CHECK(ruleset.fallback_groups[0].members[0].id == 1);
  CHECK(ruleset.fallback_groups[0].members[0].weight == 3);
  CHECK(ruleset.fallback_groups[1].family == Family::V6);
  CHECK(ruleset.fallback_groups[1].members[0].id == 2);
}
