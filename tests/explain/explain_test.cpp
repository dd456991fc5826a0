#include "nfsteer/explain.hpp"

#include <doctest/doctest.h>

#include <random>

#include "nfsteer/base/text.hpp"
#include "nfsteer/config.hpp"

namespace nfsteer {
namespace {

constexpr const char* kRules = R"(
[engine]
hooks = ["prerouting", "output"]
on_no_route = "reject"

[group.web]
snat = true
servers = [
  { name = "web1", address = "10.2.0.1", port = 8080, weight = 3 },
  { name = "web2", address = "10.2.0.2" },
]
[group.dns]
algorithm = "weighted"
servers = [{ name = "ns1", address = "10.2.0.53" }, { name = "ns6", address = "2001:db8:2::53" }]
[group.six]
servers = [{ name = "a", address = "2001:db8:2::1", port = 8080 }]

[schedule.night]
timezone = "UTC"
windows = [{ from = "22:00", to = "06:00" }]
[table.main]
priority = 10
default_group = "six"
routes = [
  { prefix = "10.1.0.0/16", group = "web", weight = 3 },
  { prefix = "10.1.0.0/16", group = "dns" },
  { prefix = "10.1.0.0/16", group = "dns", metric = 5 },
  { prefix = "10.3.0.0/16", action = "drop" },
]
[table.lab]
routes = [{ prefix = "10.4.0.0/16", group = "dns" }]
[table.empty]
priority = -1

[[policy]]
name = "scanners"
priority = 90
match = [{ dport = [22, 3389], proto = "tcp" }, { saddr = "192.0.2.66" }]
action = "reject"
[[policy]]
name = "trial"
priority = 80
dry_run = true
match = { proto = "tcp", daddr = ["10.5.0.0/16", "!10.5.5.0/24"] }
action = "drop"
[[policy]]
name = "backup"
priority = 70
match = { schedule = "night", daddr = "10.5.0.0/16" }
group = "web"
[[policy]]
name = "only-six"
priority = 60
match = { daddr = ["10.5.0.0/16", "2001:db8::/32"] }
group = "six"
[[policy]]
name = "by-lab"
priority = 50
match = { mark = "0x10/0xf0", daddr = "!10.3.0.0/16" }
table = "lab"
)";

Config config_of(const std::string& rules) {
  LoadResult loaded = parse_config(rules, "rules.toml");
  const auto* mistakes = std::get_if<std::vector<Diagnostic>>(&loaded);
  REQUIRE_MESSAGE(!mistakes, render(mistakes->front()));
  return std::get<Config>(std::move(loaded));
}

std::unique_ptr<const Snapshot> compiled(const std::string& rules, GroupStates& states) {
  return compile(config_of(rules), states);
}

Explanation explained(const Snapshot& snapshot, const FlowQuestion& question) {
  const auto flow = parse_flow(question);
  REQUIRE_MESSAGE(flow, flow.error().message);
  const Time at = parse_time(question, Time()).value();
  return explain(snapshot, situation_at(snapshot, at), *flow, at);
}

// "KIND NAME: OUTCOME (WHY)", a line each.
std::string text_of(const std::vector<Step>& steps) {
  std::string text;
  for (const Step& step : steps)
    text += format("{} {}: {} ({})\n", step.kind, step.name, step.outcome, step.why);
  return text;
}

constexpr const char* kNight = "2026-11-27T22:10:00Z";

TEST_CASE("by policy and schedule") {
  GroupStates states;
  const auto snapshot = compiled(kRules, states);
  const Explanation made =
      explained(*snapshot, {.flow = "tcp 192.0.2.7:40000 10.5.0.1:443", .at = kNight});
  CHECK(made.flow == "tcp 192.0.2.7:40000 -> 10.5.0.1:443");
  CHECK(made.at == kNight);
  CHECK(made.action == "steer");
  CHECK(made.policy == "backup");
  CHECK(made.table == std::nullopt);
  CHECK(made.route == std::nullopt);
  CHECK(made.group == "web");
  CHECK(made.server == "web/web1");
  CHECK(made.address == "10.2.0.1");
  CHECK(made.port == 8080);
  CHECK(made.mark == 0x0010'0000);
  CHECK(made.mark_mask == 0xfff0'0000);
  CHECK(made.failed_group == std::nullopt);
  CHECK(made.kernel == "ct mark 0x00100000/0xfff00000, dnat to 10.2.0.1:8080, masquerade");
  CHECK(made.policies_not_reached == 2);
  CHECK(made.policies_left_out == 0);
  CHECK(text_of(made.steps) ==
        "policy scanners: no match (match 1: dport 443 is not in 22, 3389; "
        "match 2: saddr 192.0.2.7 is not in 192.0.2.66/32)\n"
        "policy trial: counted (dry run, daddr 10.5.0.0/16, !10.5.5.0/24; proto tcp)\n"
        "policy backup: taken (daddr 10.5.0.0/16; schedule night)\n"
        "group web: taken (round-robin (each server in turn), 2 servers for IPv4)\n"
        "server web/web1: taken (10.2.0.1:8080, weight 3)\n"
        "otherwise on_no_route: next (if group web had no IPv4 server: reject)\n");
}

TEST_CASE("passed over: a policy whose group has no server of the family") {
  GroupStates states;
  const auto snapshot = compiled(kRules, states);
  const Explanation made =
      explained(*snapshot, {.flow = "tcp 192.0.2.7:40000 10.5.5.1:443", .at = "12:00 UTC"});
  CHECK(made.action == "reject");
  CHECK(made.policy == std::nullopt);
  CHECK(made.server == std::nullopt);
  CHECK(made.port == std::nullopt);
  CHECK(made.mark == 0xffe0'0000);
  CHECK(made.failed_group == "six");
  CHECK(made.kernel == "reject with tcp reset");
  CHECK(made.policies_not_reached == 0);
  CHECK(text_of(made.steps) ==
        "policy scanners: no match (match 1: dport 443 is not in 22, 3389; "
        "match 2: saddr 192.0.2.7 is not in 192.0.2.66/32)\n"
        "policy trial: no match (daddr 10.5.5.1 is ruled out by !10.5.5.0/24)\n"
        "policy backup: no match (schedule night is off until 1970-01-01T22:00:00Z)\n"
        "policy only-six: passed over (group six has no IPv4 server)\n"
        "policy by-lab: no match (mark 0x0 is not in 0x10/0xf0)\n"
        "table main: no route (priority 10, 4 routes)\n"
        "default six: passed over (group six has no IPv4 server)\n"
        "table lab: no route (priority 0, 1 route)\n"
        "table empty: no route (priority -1, 0 routes)\n"
        "on_no_route reject: taken ()\n");
}

// The steps from the first table on.
std::string text_from_table(const Explanation& made) {
  const std::string text = "\n" + text_of(made.steps);
  return text.substr(text.find("\ntable") + 1);
}

TEST_CASE("by table: routes that share, are passed over, and would come next") {
  // A rules file may not say this of a group that never has a server of the family.
  Config config = config_of(kRules);
  const RouteConfig to_six{*parse_prefix("10.1.2.0/24"), ToGroup{"six"}};
  find_named(config.tables, "main")->routes.push_back(to_six);
  GroupStates states;
  const auto snapshot = compile(config, states);
  // The hash gives the flows of one prefix and metric to both routes.
  const auto of_port = [&](int port) {
    return explained(*snapshot, {.flow = format("udp 192.0.2.7:{} 10.1.2.3:53", port)});
  };
  int port = 1;
  while (of_port(port).group != "dns") ++port;
  const Explanation dns = of_port(port);
  CHECK(dns.policy == std::nullopt);
  CHECK(dns.table == "main");
  CHECK(dns.route == RouteTaken{"10.1.0.0/16", 0, 1});
  CHECK(dns.server == "dns/ns1");
  CHECK(dns.port == 53);
  CHECK(dns.failed_group == "six");
  CHECK(dns.kernel == "ct mark 0x00300000/0xfff00000, dnat to 10.2.0.53:53");
  CHECK(text_from_table(dns) ==
        "table main: taken (priority 10, 5 routes)\n"
        "route 10.1.2.0/24: passed over (group six has no IPv4 server)\n"
        "route 10.1.0.0/16: shares (metric 0, weight 3, to group web)\n"
        "route 10.1.0.0/16: taken (metric 0, weight 1, to group dns, by its hash)\n"
        "group dns: taken (weighted (in turn, smoothly, in the exact ratio of the weights), "
        "1 server for IPv4)\n"
        "server dns/ns1: taken (10.2.0.53:53, weight 1)\n"
        "otherwise route 10.1.0.0/16 of main: next (if group dns had no IPv4 server: "
        "metric 0, weight 3, to group web)\n");

  while (of_port(port).group != "web") ++port;
  CHECK(of_port(port).route == RouteTaken{"10.1.0.0/16", 0, 3});
}

TEST_CASE("where a flow ends") {
  GroupStates states;
  const auto snapshot = compiled(kRules, states);
  const struct {
    FlowQuestion question;
    const char* action;
    const char* by;  // policy, table, group
    const char* kernel;
    const char* last_step;
  } cases[] = {
      {{.flow = "tcp 192.0.2.66:1 10.3.0.1:80"},
       "reject",
       "scanners - -",
       "reject with tcp reset",
       "policy scanners: taken (match 2: saddr 192.0.2.66/32)"},
      {{.flow = "icmp 192.0.2.66 10.3.0.1"},
       "reject",
       "scanners - -",
       "reject with icmp admin-prohibited",
       "policy scanners: taken (match 2: saddr 192.0.2.66/32)"},
      {{.flow = "udp 192.0.2.7:1 10.3.0.1:80"},
       "drop",
       "- main -",
       "drop",
       "route 10.3.0.0/16: taken (metric 0, drop)"},
      {{.flow = "gre 2001:db8:1::1 2001:db8:1::2"},
       "steer",
       "only-six - six",
       "ct mark 0x00500000/0xfff00000, dnat to 2001:db8:2::1",
       "otherwise on_no_route: next (if group six had no IPv6 server: reject)"},
      {{.flow = "udp [2001:db9::1]:1 [2001:db9::2]:2"},
       "steer",
       "- main six",
       "ct mark 0x00500000/0xfff00000, dnat to [2001:db8:2::1]:8080",
       "otherwise on_no_route: next (if group six had no IPv6 server: reject)"},
      {{.flow = "icmpv6 2001:db9::1 2001:db9::2", .iif = "lo"},
       "steer",
       "- main six",
       "never queued, so it goes on as it is: it comes from `lo`",
       "otherwise on_no_route: next (if group six had no IPv6 server: reject)"},
      {{.flow = "udp 192.0.2.7:1 10.4.0.1:80", .mark = "0x1f"},
       "steer",
       "by-lab lab dns",
       "ct mark 0x00300000/0xfff00000, dnat to 10.2.0.53:80",
       "otherwise on_no_route: next (if group dns had no IPv4 server: reject)"},
      {{.flow = "udp 192.0.2.7:1 10.4.0.1:80", .mark = "0x00100000", .uid = "0"},
       "steer",
       "- lab dns",
       "never queued, so it goes on as it is: its packet's mark 0x100000 has bits under "
       "0xfff00000",
       "otherwise on_no_route: next (if group dns had no IPv4 server: reject)"},
      {{.flow = "udp 192.0.2.7:1 10.6.0.1:80", .mark = "0x10"},
       "reject",
       "- - -",
       "reject with icmp admin-prohibited",
       "on_no_route reject: taken ()"},
      {{.flow = "udp 192.0.2.7:1 224.0.0.1:80"},
       "reject",
       "- - -",
       "never queued, so it goes on as it is: its destination is multicast",
       "on_no_route reject: taken ()"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.question.flow);
    const Explanation made = explained(*snapshot, row.question);
    CHECK(made.action == row.action);
    CHECK(format("{} {} {}", made.policy.value_or("-"), made.table.value_or("-"),
                 made.group.value_or("-")) == row.by);
    CHECK(made.kernel == row.kernel);
    CHECK(text_of({made.steps.back()}) == std::string(row.last_step) + "\n");
  }
}

TEST_CASE("a policy's table that leads nowhere") {
  GroupStates states;
  const auto snapshot = compiled(kRules, states);
  const Explanation made =
      explained(*snapshot, {.flow = "udp 192.0.2.7:1 10.6.0.1:80", .mark = "0x10"});
  CHECK(text_of(made.steps).find("policy by-lab: passed over (table lab leads nowhere for it)") !=
        std::string::npos);
}

TEST_CASE("on_no_route: a group, and none that can be had") {
  const std::string rules = R"(
[engine]
on_no_route = "six"
hooks = ["output"]
[group.six]
servers = [{ name = "a", address = "2001:db8:2::1" }]
)";
  GroupStates states;
  const auto snapshot = compiled(rules, states);
  const Explanation v6 = explained(*snapshot, {.flow = "gre ::1 ::2", .uid = "0"});
  CHECK(v6.server == "six/a");
  CHECK(text_of(v6.steps) ==
        "on_no_route six: taken ()\n"
        "group six: taken (round-robin (each server in turn), 1 server for IPv6)\n"
        "server six/a: taken (2001:db8:2::1, weight 1)\n"
        "otherwise on_no_route: next (if group six had no IPv6 server: accept)\n");
  const Explanation v4 = explained(*snapshot, {.flow = "gre 10.0.0.1 10.0.0.2"});
  CHECK(v4.action == "accept");
  CHECK(v4.mark == 0xfff0'0000);
  CHECK(v4.kernel == "never queued, so it goes on as it is: `hooks` has no \"prerouting\"");
  CHECK(text_of(v4.steps) ==
        "on_no_route six: passed over (group six has no IPv4 server: accepted as it is)\n");
  const Explanation local = explained(*snapshot, {.flow = "gre 10.0.0.1 10.0.0.2", .gid = "0"});
  CHECK(local.kernel == "ct mark 0xfff00000/0xfff00000, goes on as it is");
}

TEST_CASE("why a criterion does not hold") {
  constexpr struct {
    const char* match;
    const char* why;
  } kCases[] = {
      {"proto = [\"udp\", 47]", "proto tcp is not in udp, gre"},
      {"proto = \"udp\"", "proto tcp is not udp"},
      {"proto = \"!tcp\"", "proto tcp is ruled out by !tcp"},
      {"sport = \"80-90\"", "sport 40000 is not in 80-90"},
      {"dport = [1, 2, 3, 4]", "dport 443 is not in 1, 2, 3, 4"},
      {"dport = [1, 2, 3, 4, 5]", "dport 443 is not in 1, 2, 3 and 2 more"},
      {"dport = [443, \"!1-1023\"]", "dport 443 is ruled out by !1-1023"},
      {"daddr = \"2001:db8::/32\"", "daddr 10.5.0.1 is not in 2001:db8::/32"},
      {"saddr = \"@office\"", "saddr 192.0.2.7 is not in 10.0.0.0/8, 2001:db8::/32"},
      {"iif = \"eth*\"", "iif br-guest is not in eth*"},
      {"iif = [\"!br-guest\", \"eth0\"]", "iif br-guest is ruled out by !br-guest"},
      {"oif = \"eth0\"", "the flow has no oif"},
      {"uid = \"!0\"", "the flow has no uid"},
      {"mark = 16", "mark 0x20 is not in 0x10"},
      {"mark = [\"0/0xff\", 1]", "mark 0x20 is not in 0x0/0xff, 0x1"},
      {"icmp_type = 8", "the flow has no icmp_type"},
      {"schedule = \"monday\"", "schedule monday is off until 2026-11-30T09:00:00Z"},
      {"schedule = \"!always\"", "schedule always is on for good"},
      {"schedule = [\"monday\", \"night\"]", "schedules monday, night are off"},
      {"schedule = [\"always\", \"!day\"]", "schedule day is on until 2026-11-27T22:00:00Z"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.match);
    GroupStates states;
    const auto snapshot = compiled(format(R"(
[set.office]
prefixes = ["10.0.0.0/8", "2001:db8::/32"]
[schedule.always]
timezone = "UTC"
windows = [{{}}]
[schedule.monday]
timezone = "UTC"
windows = [{{ days = "mon", from = "09:00" }}]
[schedule.night]
timezone = "UTC"
windows = [{{ from = "22:00", to = "06:00" }}]
[schedule.day]
timezone = "UTC"
windows = [{{ from = "06:00", to = "22:00" }}]
[[policy]]
name = "p"
match = {{ {} }}
action = "drop"
)",
                                          row.match),
                                   states);
    const Explanation made = explained(*snapshot, {.flow = "tcp 192.0.2.7:40000 10.5.0.1:443",
                                                   .iif = "br-guest",
                                                   .mark = "0x20",
                                                   .at = "2026-11-27T12:00:00Z"});
    CHECK(made.action == "accept");
    CHECK(made.steps.at(0) == Step{"policy", "p", "no match", row.why});
  }
}

TEST_CASE("types of ICMP have their protocol") {
  GroupStates states;
  const auto snapshot = compiled(R"(
[[policy]]
name = "p"
match = { icmp_type = ["echo-reply", "nd-router-solicit"] }
action = "drop"
)",
                                 states);
  const Explanation made = explained(*snapshot, {.flow = "icmp 192.0.2.7 10.5.0.1"});
  CHECK(made.flow == "icmp 192.0.2.7 -> 10.5.0.1, type 8");
  CHECK(made.steps.at(0).why == "icmp_type icmp 8 is not in icmp 0, icmpv6 129, icmpv6 133");
}

TEST_CASE("countries have their codes") {
  const auto prefix = [](const char* text) { return *parse_prefix(text); };
  Config config;
  config.countries = std::make_shared<const Countries>(
      std::vector<Countries::Record>{{},
                                     {"AT", "EU", true},
                                     {"CH", "EU", false},
                                     {"DE", "EU", true},
                                     {"FR", "EU", true},
                                     {"JP", "AS", false}},
      std::vector<Countries::Entry>{{prefix("192.0.2.0/24"), 5}, {prefix("10.0.0.0/8"), 3}});
  const auto policy = [](const char* name, const char* field, const char* country) {
    Criterion criterion{find_field(field), {}, {}};
    REQUIRE(criterion.add(country));
    return PolicyConfig{.name = name, .match = {{criterion}}, .target = Action::Drop};
  };
  config.policies = {policy("one", "scountry", "DE"), policy("union", "scountry", "EU"),
                     policy("all", "scountry", "continent:EU"), policy("none", "scountry", "--"),
                     policy("not", "dcountry", "!EU")};
  REQUIRE(validate(config).empty());
  GroupStates states;
  const auto snapshot = compile(config, states);
  const Explanation made = explained(*snapshot, {.flow = "gre 192.0.2.7 10.5.0.1"});
  CHECK(text_of(made.steps) ==
        "policy one: no match (scountry JP is not DE)\n"
        "policy union: no match (scountry JP is not in AT, DE, FR)\n"
        "policy all: no match (scountry JP is not in AT, CH, DE, FR)\n"
        "policy none: no match (scountry JP is not --)\n"
        "policy not: no match (dcountry DE is ruled out by !DE, !FR)\n"
        "on_no_route accept: taken ()\n");
}

TEST_CASE("many policies and routes: the last ones tried, and how many others") {
  constexpr std::size_t kPolicies = 5'000, kDryRuns = 1'500, kRoutes = 1'500;
  Config config;
  config.groups = {{.name = "web", .servers = {{"a", *parse_address("10.2.0.1"), {}, 1}}},
                   {.name = "six", .servers = {{"a", *parse_address("2001:db8::1"), {}, 1}}}};
  for (std::size_t i = 0; i < kPolicies; ++i) {
    Criterion criterion{find_field("dport"), {}, {}};
    REQUIRE(criterion.add("1"));
    config.policies.push_back(
        {.name = format("p{}", i), .dry_run = i < kDryRuns, .match = {}, .target = Action::Drop});
    if (i >= kDryRuns) config.policies.back().match = {{criterion}};
  }
  TableConfig table{.name = "main", .default_group = {}, .routes = {}};
  for (std::uint32_t i = 0; i < kRoutes; ++i)
    table.routes.push_back({*parse_prefix("10.0.0.0/8"), ToGroup{"six"}, i});
  const RouteConfig to_web{*parse_prefix("0.0.0.0/0"), ToGroup{"web"}};
  table.routes.push_back(to_web);
  config.tables = {table};
  GroupStates states;
  const auto snapshot = compile(config, states);

  const Explanation made = explained(*snapshot, {.flow = "tcp 192.0.2.7:1 10.5.0.1:2"});
  CHECK(made.server == "web/a");
  CHECK(made.policies_left_out == kPolicies - 2 * kPolicyStepsMax);
  CHECK(made.policies_not_reached == 0);
  CHECK(made.routes_left_out == kRoutes - kRouteStepsMax);
  const auto count = [&](const char* outcome) {
    return std::count_if(made.steps.begin(), made.steps.end(),
                         [&](const Step& step) { return step.outcome == outcome; });
  };
  CHECK(count("no match") == kPolicyStepsMax);
  CHECK(count("counted") == kPolicyStepsMax);
  CHECK(count("passed over") == kRouteStepsMax);
  CHECK(made.steps.front().name == format("p{}", kDryRuns - kPolicyStepsMax));
  CHECK(made.steps[2 * kPolicyStepsMax - 1].name == format("p{}", kPolicies - 1));
}

TEST_CASE("no cursor moves, and the next flow gets the server that was named") {
  GroupStates states;
  const auto snapshot = compiled(kRules, states);
  const FlowQuestion question{.flow = "tcp 192.0.2.7:40000 10.5.0.1:443", .at = kNight};
  const Time at = *parse_time(question, Time());
  const Situation situation = situation_at(*snapshot, at);
  const Flow flow = *parse_flow(question);
  for (int i = 0; i < 5; ++i) {
    const std::uint64_t before = states.groups["web"]->v4.ticket->next;
    const std::string server = explain(*snapshot, situation, flow, at).server.value();
    CHECK(states.groups["web"]->v4.ticket->next == before);
    CHECK(explain(*snapshot, situation, flow, at).server == server);
    const Decision decision = decide(*snapshot, situation, flow);
    CHECK(format("web/{}", snapshot->servers[decision.server]->name) == server);
  }
}

// ---- the steps are those of decide() ------------------------------------------------

class RandomRules {
 public:
  explicit RandomRules(std::uint32_t seed) : random_(seed) {}

  Config config() {
    Config config;
    config.schedules = {{"always", "UTC", {{}}, {}}, {"friday", "UTC", {{.days = 0x10}}, {}}};
    for (const char* name : {"four", "six", "both"}) {
      GroupConfig group{.name = name, .servers = {}};
      if (name[0] != 's') group.servers.push_back({"a", *parse_address("10.2.0.1"), 80, 1});
      if (name[0] != 'f') group.servers.push_back({"b", *parse_address("2001:db8::1"), {}, 2});
      config.groups.push_back(group);
    }
    config.engine.on_no_route = pick<RouteTarget>(
        {Action::Accept, Action::Drop, Action::Reject, ToGroup{"four"}, ToGroup{"six"}});
    for (const char* name : {"one", "two", "three"}) {
      TableConfig table{.name = name, .priority = below(3), .default_group = {}, .routes = {}};
      if (below(4) == 0) table.default_group = pick<std::string>({"four", "six"});
      for (int i = below(12); i > 0; --i) table.routes.push_back(route());
      config.tables.push_back(table);
    }
    for (int i = below(20); i > 0; --i) config.policies.push_back(policy(i));
    return config;
  }

  Flow flow() {
    FlowQuestion question;
    question.flow =
        below(2) == 0
            ? format("{} 10.{}.0.1:{} 10.{}.{}.1:{}", pick<std::string>({"tcp", "udp"}), below(3),
                     below(4), below(3), below(3), below(4))
            : format("{} [fd00:{}::1]:{} [fd00:{}::1]:{}", pick<std::string>({"tcp", "udp"}),
                     below(3), below(4), below(3), below(4));
    question.mark = format("{}", below(3));
    return *parse_flow(question);
  }

 private:
  int below(int end) { return static_cast<int>(random_() % static_cast<unsigned>(end)); }
  template <typename T>
  T pick(std::initializer_list<T> list) {
    return list.begin()[below(static_cast<int>(list.size()))];
  }
  std::string prefix() {
    return pick<std::string>({"10.0.0.0/8", "10.0.0.0/16", "10.1.0.0/16", "10.1.1.0/24",
                              "0.0.0.0/0", "::/0", "fd00::/16", "fd00:1::/32"});
  }
  RouteConfig route() {
    RouteConfig made;
    made.prefix = *parse_prefix(prefix());
    made.target = ToGroup{"both"};
    if (below(2) == 0)
      made.target = made.prefix.address.family == Family::V4 ? ToGroup{"four"} : ToGroup{"six"};
    if (below(8) == 0) made.target = pick<RouteTarget>({Action::Accept, Action::Drop});
    made.metric = static_cast<std::uint32_t>(below(2));
    made.weight = static_cast<std::uint32_t>(1 + below(3));
    return made;
  }
  PolicyConfig policy(int number) {
    PolicyConfig made{.name = format("p{}", number), .priority = below(5), .match = {}};
    made.dry_run = below(6) == 0;
    made.target =
        pick<PolicyTarget>({Action::Accept, Action::Drop, Action::Reject, ToGroup{"four"},
                            ToGroup{"six"}, ToGroup{"both"}, ToTable{"one"}, ToTable{"two"}});
    for (int i = below(3); i > 0; --i) made.match.push_back(match());
    return made;
  }
  Match match() {
    Match made;
    const auto add = [&](const char* field, const std::string& value) {
      Criterion criterion{find_field(field), {}, {}};
      REQUIRE(criterion.add((below(4) == 0 ? "!" : "") + value));
      made.push_back(criterion);
    };
    if (below(2) == 0) add("saddr", prefix());
    if (below(2) == 0) add("daddr", prefix());
    if (below(3) == 0) add("dport", format("{}-3", below(4)));
    if (below(3) == 0) add("proto", pick<std::string>({"tcp", "udp"}));
    if (below(4) == 0) add("mark", format("{}", below(3)));
    if (below(4) == 0) add("schedule", pick<std::string>({"always", "friday"}));
    return made;
  }

  std::mt19937 random_;
};

// The name of the step of that kind that took the flow.
std::optional<std::string> taken(const Explanation& made, const char* kind) {
  std::optional<std::string> name;
  for (const Step& step : made.steps) {
    if (step.kind != kind || step.outcome != "taken") continue;
    CHECK_FALSE(name);
    name = step.name;
  }
  return name;
}

TEST_CASE("the way that is told is the way of decide()") {
  std::size_t by_policy = 0, by_route = 0;
  for (std::uint32_t seed = 1; seed <= 1'000; ++seed) {
    RandomRules random(seed);
    const Config config = random.config();
    if (!validate(config).empty()) continue;
    GroupStates states;
    const auto snapshot = compile(config, states);
    const Situation situation = situation_at(*snapshot, Time());
    for (int i = 0; i < 30; ++i) {
      const Flow flow = random.flow();
      const Decision decision = decide(*snapshot, situation, flow, Turn::Peek);
      const Explanation made = explain(*snapshot, situation, flow, Time());
      CAPTURE(seed);
      CAPTURE(made.flow);
      CAPTURE(text_of(made.steps));
      CHECK(made.action == name(decision.action));
      CHECK(taken(made, "policy") == made.policy);
      CHECK(taken(made, "table") == made.table);
      CHECK(taken(made, "group") == made.group);
      CHECK(taken(made, "server") == made.server);
      CHECK(taken(made, "route") ==
            (made.route ? std::optional(made.route->prefix) : std::nullopt));
      CHECK(made.policy.has_value() == decision.policy.has_value());
      const auto counted = std::any_of(made.steps.begin(), made.steps.end(),
                                       [](const Step& step) { return step.outcome == "counted"; });
      CHECK(counted == decision.dry_run);
      by_policy += made.policy.has_value();
      by_route += made.route.has_value();
    }
  }
  CHECK(by_policy > 1'000);
  CHECK(by_route > 1'000);
}

}  // namespace
}  // namespace nfsteer
