#include <doctest/doctest.h>

#include <ctime>
#include <functional>
#include <string>

#include "build.hpp"
#include "nfsteer/base/text.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

Config good() {
  Config config;
  config.checks.resize(1);
  config.checks[0].name = "web";
  config.groups = {
      {"web", "weighted", false, {server("web1", "10.2.0.1", 80), server("web2", "10.2.0.2", 80)}}};
  config.sets = {{"office", {*parse_prefix("10.0.0.0/8")}}};
  config.schedules = {schedule("hours", "09:00", "17:00")};
  config.countries = countries();
  config.country_groups = {{"near", {"DE", "CH"}}};
  config.tables = {table("main", 0, {route("10.9.9.9/32", "web")})};
  config.policies = {
      policy("api", 0,
             {criterion("saddr", {"@office"}), criterion("scountry", {"near", "!FR"}),
              criterion("schedule", {"hours"})},
             ToGroup{"web"}),
      policy("lan", 0, {}, ToTable{"main"})};
  return config;
}

}  // namespace

TEST_CASE("validate: each mistake, its place and its remedy") {
  CHECK(validate(Config{}).empty());
  CHECK(validate(good()).empty());
  static const struct {
    const char* path;
    const char* message;  // parts of the message and the remedy
    const char* remedy;
    std::function<void(Config&)> spoil;
  } kCases[] = {
      {"engine.queues", "1 to 256", "", [](Config& c) { c.engine.queue_count = 0; }},
      {"engine.queues", "1 to 256", "", [](Config& c) { c.engine.queue_count = 257; }},
      {"engine.queues", "1 to 256", "",
       [](Config& c) {
         c.engine.queue_first = 65535;
         c.engine.queue_count = 2;
       }},
      {"engine.on_bad_packet", "accepted or dropped", "",
       [](Config& c) { c.engine.on_bad_packet = Action::Reject; }},
      {"group.web.check", "check `wbe` does not exist", "did you mean `web`?",
       [](Config& c) { c.groups[0].check = "wbe"; }},
      {"group.web.check", "check `web` does not exist", "add a section [check.web]",
       [](Config& c) {
         c.checks.clear();
         c.groups[0].check = "web";
       }},
      {"group.web.servers.[1]", "server `web2` has no port that check `web` could ask",
       "add `port = N` to the server or to [check.web]",
       [](Config& c) {
         c.groups[0].check = "web";
         c.groups[0].servers[1].port.reset();
       }},
      {"check.web.kind", "unknown kind of check `htpp`", "did you mean `http`?",
       [](Config& c) { c.checks[0].kind = "htpp"; }},
      {"check.web.timeout", "longer than the interval", "before the next",
       [](Config& c) { c.checks[0].timeout = std::chrono::seconds(3); }},
      {"check.web.status.[1]", "`600` is no status", "",
       [](Config& c) {
         c.checks[0].kind = "http";
         c.checks[0].options["status"] = std::vector<std::string>{"200", "600"};
       }},
      {"check.web", "defined twice", "", [](Config& c) { c.checks.push_back(c.checks[0]); }},
      {"check.Web", "not a name for a check", "a-z", [](Config& c) { c.checks[0].name = "Web"; }},
      {"group.web.hash", "hashes nothing", "maglev",
       [](Config& c) { c.groups[0].hash = kWholeTuple; }},
      {"group.web.hash", "nothing to hash", "one part",
       [](Config& c) {
         c.groups[0].algorithm = "hash";
         c.groups[0].hash = TupleParts();
       }},
      {"group.web.hash_factor", "101 to", "", [](Config& c) { c.groups[0].hash_factor = 100; }},
      {"group.web.affinity.v4", "32 bits", "",
       [](Config& c) { c.groups[0].affinity = {.v4_bits = 33}; }},
      {"group.web.affinity.v6", "128 bits", "",
       [](Config& c) { c.groups[0].affinity = {.v6_bits = 129}; }},
      {"group.web.affinity.timeout", "1 s", "",
       [](Config& c) { c.groups[0].affinity = {.timeout_s = 0}; }},
      {"group.web.affinity.max", "8 to", "", [](Config& c) { c.groups[0].affinity = {.max = 7}; }},
      {"group.web.servers.[1].weight", "1 to 10000", "drain",
       [](Config& c) { c.groups[0].servers[1].weight = 0; }},
      {"group.web.servers.[1].max_connections", "at most", "",
       [](Config& c) { c.groups[0].servers[1].max_connections = 100'000'001; }},
      {"group.web.servers.[1].priority", "0 to 1000", "",
       [](Config& c) { c.groups[0].servers[1].priority = 1001; }},
      {"schedule.hours.except.[1]", "no calendar", "",
       [](Config& c) {
         c.schedules[0].except = {{2028, 2, 29}, {2027, 2, 29}};
       }},
      {"engine.hooks", "no hook", "prerouting", [](Config& c) { c.engine.hooks.clear(); }},
      {"engine.mark_mask", "not contiguous", "", [](Config& c) { c.engine.mark.mask = 0xf0f; }},
      {"engine.mark_mask", "3 to 16", "", [](Config& c) { c.engine.mark.mask = 3; }},
      {"engine.mark_mask", "6 servers are more", "more bits",
       [](Config& c) {
         c.engine.mark.mask = 0x7;
         for (int i = 3; i < 7; ++i)
           c.groups[0].servers.push_back(server(format("web{}", i), format("10.2.0.{}", i)));
       }},
      {"group.web.algorithm", "unknown algorithm `wieghted`", "did you mean `weighted`?",
       [](Config& c) { c.groups[0].algorithm = "wieghted"; }},
      {"group.web.algorithm", "unknown algorithm `x`", "there are: round-robin",
       [](Config& c) { c.groups[0].algorithm = "x"; }},
      {"group.web", "no servers", "add", [](Config& c) { c.groups[0].servers.clear(); }},
      {"group.web", "defined twice", "", [](Config& c) { c.groups.push_back(c.groups[0]); }},
      {"group.Web", "not a name", "a-z",
       [](Config& c) {
         auto copy = c.groups[0];
         copy.name = "Web";
         c.groups.push_back(copy);
       }},
      {"group.web.servers.[1].name", "named twice", "",
       [](Config& c) { c.groups[0].servers[1].name = "web1"; }},
      {"group.web.servers.[1].name", "not a name", "",
       [](Config& c) { c.groups[0].servers[1].name = "a b"; }},
      {"group.web.servers.[1].address", "twice", "",
       [](Config& c) { c.groups[0].servers[1].address = c.groups[0].servers[0].address; }},
      {"group.web.servers.[0].weight", "1 to 10000", "",
       [](Config& c) { c.groups[0].servers[0].weight = 0; }},
      {"group.web.servers.[0].weight", "1 to 10000", "",
       [](Config& c) { c.groups[0].servers[0].weight = 10'001; }},
      {"group.web.servers.[0].port", "1 to 65535", "",
       [](Config& c) { c.groups[0].servers[0].port = 0; }},
      {"table.main", "defined twice", "",
       [](Config& c) { c.tables.push_back(table("main", 1, {})); }},
      {"table.main.routes.[0].group", "group `wbe` does not exist", "did you mean `web`?",
       [](Config& c) { c.tables[0].routes[0].target = ToGroup{"wbe"}; }},
      {"table.main.routes.[1].group", "no IPv6 server for 2001:db8::/32", "",
       [](Config& c) { c.tables[0].routes.push_back(route("2001:db8::/32", "web")); }},
      {"policy.[1].name", "defined twice", "", [](Config& c) { c.policies[1].name = "api"; }},
      {"table.main.routes.[0].weight", "1 to 10000", "",
       [](Config& c) { c.tables[0].routes[0].weight = 0; }},
      {"table.main.routes.[0].weight", "1 to 10000", "",
       [](Config& c) { c.tables[0].routes[0].weight = 10'001; }},
      {"table.main.routes.[0].action", "`steer` needs a group", "name the group",
       [](Config& c) { c.tables[0].routes[0].target = Action::Steer; }},
      {"table.main.routes.[2]", "the route to 10.9.9.9/32 is there twice", "another metric",
       [](Config& c) {
         c.tables[0].routes.push_back(route("10.9.9.9/32", "web", 1));
         c.tables[0].routes.push_back(route("10.9.9.9/32", "web"));
       }},
      {"table.main.routes.[2]", "the route to ::/0 is there twice", "",
       [](Config& c) {
         c.tables[0].routes.push_back(route("::/0", Action::Drop));
         c.tables[0].routes.push_back(route("::/0", Action::Drop));
       }},
      {"table.main.default_group", "group `wen` does not exist", "did you mean `web`?",
       [](Config& c) { c.tables[0].default_group = "wen"; }},
      {"table.Main", "not a name for a table", "a-z",
       [](Config& c) { c.tables.push_back(table("Main", 1, {})); }},
      {"engine.on_no_route", "group `wbe` does not exist", "did you mean `web`?",
       [](Config& c) { c.engine.on_no_route = ToGroup{"wbe"}; }},
      {"engine.on_no_route", "`steer` needs a group", "name the group",
       [](Config& c) { c.engine.on_no_route = Action::Steer; }},
      {"cache.entries", "16777216 entries at most", "",
       [](Config& c) { c.cache.entries = kCacheEntriesMax + 1; }},
      {"cache.route_entries", "16777216 entries at most", "",
       [](Config& c) { c.cache.route_entries = kCacheEntriesMax + 1; }},
      {"set.office", "defined twice", "", [](Config& c) { c.sets.push_back(c.sets[0]); }},
      {"set.none", "has no prefixes", "files",
       [](Config& c) {
         c.sets.push_back({"none", {}});
       }},
      {"set.a set", "not a name for a set", "a-z",
       [](Config& c) {
         c.sets.push_back({"a set", c.sets[0].prefixes});
       }},
      {"schedule.hours", "defined twice", "",
       [](Config& c) { c.schedules.push_back(schedule("hours", "00:00", "24:00")); }},
      {"schedule.-", "not a name for a schedule", "",
       [](Config& c) { c.schedules.push_back(schedule("-", "00:00", "24:00")); }},
      {"schedule.hours", "has no windows", "add", [](Config& c) { c.schedules[0].windows = {}; }},
      {"schedule.hours.timezone", "Europe/Zurihc", "",
       [](Config& c) { c.schedules[0].timezone = "Europe/Zurihc"; }},
      {"schedule.hours.windows.[1].days", "one day of the week", "",
       [](Config& c) {
         c.schedules[0].windows.push_back(c.schedules[0].windows[0]);
         c.schedules[0].windows[1].days = 0;
       }},
      {"schedule.hours.windows.[0].days", "one day of the week", "",
       [](Config& c) { c.schedules[0].windows[0].days = 0x80; }},
      {"schedule.hours.windows.[0].from", "00:00 to 23:59", "",
       [](Config& c) { c.schedules[0].windows[0].from = std::chrono::minutes(24 * 60); }},
      {"schedule.hours.windows.[0].from", "00:00 to 23:59", "",
       [](Config& c) { c.schedules[0].windows[0].from = std::chrono::minutes(-1); }},
      {"schedule.hours.windows.[0].to", "00:01 to 24:00", "",
       [](Config& c) { c.schedules[0].windows[0].to = std::chrono::minutes(0); }},
      {"schedule.hours.windows.[0].to", "00:01 to 24:00", "",
       [](Config& c) { c.schedules[0].windows[0].to = std::chrono::minutes(24 * 60 + 1); }},
      {"policy.[0].match.[0]", "without a field", "",
       [](Config& c) { c.policies[0].match[0][0] = Criterion{}; }},
      {"policy.[0].match.[0].dport", "a prefix, where", "",
       [](Config& c) {
         c.policies[0].match = {{Criterion{find_field("dport"), {*parse_prefix("::/0")}, {}}}};
       }},
      {"policy.[0].match.[0].daddr", "a number, where", "",
       [](Config& c) {
         c.policies[0].match = {{Criterion{find_field("daddr"), {Interval{1, 2}}, {}}}};
       }},
      {"policy.[0].match.[0].dport", "`http` is a name, where", "",
       [](Config& c) {
         c.policies[0].match = {{Criterion{find_field("dport"), {std::string("http")}, {}}}};
       }},
      {"policy.[0].match.[0].dport", "runs backward", "",
       [](Config& c) {
         c.policies[0].match = {{Criterion{find_field("dport"), {Interval{2, 1}}, {}}}};
       }},
      {"policy.[0].match.[0].mark", "outside its mask", "",
       [](Config& c) {
         c.policies[0].match = {{Criterion{find_field("mark"), {Masked{3, 1}}, {}}}};
       }},
      {"policy.[0].match.[0].saddr", "too long", "",
       [](Config& c) {
         c.policies[0].match = {{Criterion{find_field("saddr"), {Prefix{Address::v4(0), 33}}, {}}}};
       }},
      {"set.office", "host bits", "",
       [](Config& c) {
         c.sets[0].prefixes = {{Address::v4(0x0a000001), 8}};
       }},
      {"table.main.routes.[0].prefix", "too long", "",
       [](Config& c) { c.tables[0].routes[0].prefix.length = 129; }},
      {"policy", "more than the 4000000", "few policies",
       [](Config& c) {
         c.sets[0].prefixes.resize(1'000'000, *parse_prefix("10.0.0.0/8"));
         for (int i = 0; i < 5; ++i) {
           c.policies.push_back(
               policy(format("p{}", i), 0, {criterion("saddr", {"@office"})}, Action::Drop));
         }
       }},
      {"geoip.groups", "groups of countries are more than the 1000", "",
       [](Config& c) {
         for (int i = 0; i < 1001; ++i) c.country_groups[format("g{}", i)] = {"DE"};
       }},
      {"geoip.groups.far", "has no countries", "", [](Config& c) { c.country_groups["far"] = {}; }},
      {"geoip.groups.far", "itself", "",
       [](Config& c) {
         c.country_groups["far"] = {"DE", "far"};
       }},
      {"geoip.groups.far", "nera", "", [](Config& c) { c.country_groups["far"] = {"nera"}; }},
      {"geoip.groups.Far", "not a name for a group of countries", "",
       [](Config& c) { c.country_groups["Far"] = {"DE"}; }},
      {"policy.[0].match.[0].saddr", "set `offcie` does not exist: did you mean `office`?", "",
       [](Config& c) { c.policies[0].match[0][0] = criterion("saddr", {"@offcie"}); }},
      {"policy.[0].match.[0].saddr", "set `x` does not exist: there are: office", "",
       [](Config& c) {
         c.policies[0].match[0][0] = criterion("saddr", {"10.0.0.0/8", "!@x"});
       }},
      {"policy.[1].match.[1].daddr", "set `offcie` does not exist", "",
       [](Config& c) {
         c.policies[1].match = {{criterion("dport", {"80"})}, {criterion("daddr", {"@offcie"})}};
       }},
      {"policy.[0].match.[0].schedule", "schedule `hour` does not exist: did you mean `hours`?", "",
       [](Config& c) { c.policies[0].match[0][2] = criterion("schedule", {"!hour"}); }},
      {"policy.[0].match.[0].scountry", "naer", "",
       [](Config& c) { c.policies[0].match[0][1] = criterion("scountry", {"naer"}); }},
      {"policy.[1].match.[0].dcountry", "`DE` is a country, and there is no country database",
       "add [geoip]",
       [](Config& c) {
         c.policies[0].match.clear();
         c.policies[1].match = {{criterion("dcountry", {"DE"})}};
         c.countries = nullptr;
       }},
      {"policy.[1].match.[0].dport", "`dport` is there twice", "",
       [](Config& c) {
         c.policies[1].match = {
             {criterion("dport", {"80"}), criterion("proto", {"tcp"}), criterion("dport", {"81"})}};
       }},
      {"policy.[1].match.[0].mark", "at least one value", "",
       [](Config& c) { c.policies[1].match = {{criterion("mark", {})}}; }},
      {"policy.[1].action", "`steer` needs a group", "name the group",
       [](Config& c) { c.policies[1].target = Action::Steer; }},
      {"policy.[1].table", "table `mian` does not exist", "did you mean `main`?",
       [](Config& c) {
         c.policies[1].enabled = false;  // it is checked all the same
         c.policies[1].target = ToTable{"mian"};
       }},
      {"policy.[0].name", "not a name", "", [](Config& c) { c.policies[0].name = ""; }},
      {"policy.[0].group", "group `nil` does not exist", "there are: web",
       [](Config& c) { c.policies[0].target = ToGroup{"nil"}; }},
      {"policy.[1].table", "table `mian` does not exist", "did you mean `main`?",
       [](Config& c) { c.policies[1].target = ToTable{"mian"}; }},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.path);
    CAPTURE(row.message);
    Config config = good();
    row.spoil(config);
    const auto problems = validate(config);
    REQUIRE(problems.size() == 1);
    CHECK(format("{}", join(problems[0].path, ".")) == row.path);
    CHECK(problems[0].message.find(row.message) != std::string::npos);
    CHECK(problems[0].remedy.find(row.remedy) != std::string::npos);
  }
}

TEST_CASE("validate: what is near a mistake, and none") {
  const std::function<void(Config&)> kCases[] = {
      [](Config& c) { c.tables[0].default_group = "web"; },
      [](Config& c) { c.engine.on_no_route = ToGroup{"web"}; },
      [](Config& c) { c.engine.on_no_route = Action::Reject; },
      // Equal but for the metric, the target or the table.
      [](Config& c) { c.tables[0].routes.push_back(route("10.9.9.9/32", "web", 1)); },
      [](Config& c) { c.tables[0].routes.push_back(route("10.9.9.9/32", Action::Drop)); },
      [](Config& c) { c.tables.push_back(table("other", 0, c.tables[0].routes)); },
      [](Config& c) { c.tables[0].routes[0].weight = 10'000; },
      [](Config& c) { c.cache = {.entries = kCacheEntriesMax, .route_entries = 0}; },
      // The same field in two alternatives, and one policy's criteria in another.
      [](Config& c) {
        c.policies[1].match = {{criterion("dport", {"80"})}, {criterion("dport", {"80"})}};
      },
      [](Config& c) { c.policies[1].match = c.policies[0].match; },
      // A set, a schedule, a group of countries and a table may have one name.
      [](Config& c) {
        c.sets.push_back({"web", c.sets[0].prefixes});
        c.schedules.push_back(schedule("web", "00:00", "24:00"));
        c.country_groups["web"] = {"FR", "near"};
        c.tables.push_back(table("web", 0, {}));
        c.policies.push_back(policy("web", 0, {}, ToTable{"web"}));
      },
      [](Config& c) { c.schedules[0].windows[0].to = c.schedules[0].windows[0].from; },
      // Without a database nothing is known of the members of groups.
      [](Config& c) {
        c.policies.clear();
        c.country_groups["near"] = {"nera"};
        c.countries = nullptr;
      },
  };
  for (std::size_t i = 0; i < std::size(kCases); ++i) {
    CAPTURE(i);
    Config config = good();
    kCases[i](config);
    const auto problems = validate(config);
    CHECK_MESSAGE(problems.empty(), problems[0].message);
  }
}

TEST_CASE("validate: more rules than are supported are refused, and soon") {
  Config config;
  for (std::size_t i = 0; i < 1'000'000; ++i)
    config.policies.push_back(
        policy(format("p{}", i), 0, {criterion("dport", {"80"})}, Action::Drop));
  const std::clock_t start = std::clock();  // of this process, however busy others are
  const auto problems = validate(config);
  CHECK(std::clock() - start < 10 * CLOCKS_PER_SEC);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].path == std::vector<std::string>{"policy"});
  CHECK(problems[0].message ==
        format("1000000 policies and alternatives are more than the {} that are supported",
               kRulesMax));
  CHECK(problems[0].remedy == "name many prefixes by one set");

  // Alternatives count, and an empty `match` is one.
  config.policies.resize(2);
  config.policies[0].match.resize(kRulesMax - 1, Match{criterion("dport", {"80"})});
  config.policies[1].match.clear();
  CHECK(validate(config).empty());
  config.policies[0].match.push_back({criterion("dport", {"80"})});
  CHECK(validate(config).size() == 1);
}

TEST_CASE("validate: of very many mistakes the first") {
  Config config = good();
  config.tables[0].routes.assign(kProblemsMax + 1, route("10.9.9.9/32", "x"));
  CHECK(validate(config).size() == kProblemsMax);
}

// Each use of a large group is looked up at once.
TEST_CASE("validate: large groups of countries that are often named") {
  Config config = good();
  config.country_groups["large"].assign(500'000, "DE");
  config.policies[0].match = {{{find_field("scountry"), {}, {}}}};
  config.policies[0].match[0][0].any.assign(100'000, "large");
  CHECK(validate(config).empty());
  GroupStates states;
  CHECK(compile(config, states)->policies[0].match[0][0].any.size() == 100'000);
}

TEST_CASE("validate: all mistakes at once") {
  Config config = good();
  config.engine.mark.mask = 0;
  config.groups[0].algorithm = "x";
  config.policies[1].target = ToTable{"x"};
  CHECK(validate(config).size() == 3);
}
