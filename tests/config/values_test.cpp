// What arrives in the Config, given or by default.
#include <doctest/doctest.h>

#include <algorithm>
#include <string_view>
#include <thread>
#include <vector>

#include "nfsteer/config.hpp"
#include "rules_text.hpp"

using namespace nfsteer;
using testing::accepted;

TEST_CASE("an empty file is a configuration: all defaults, a queue for each CPU") {
  for (const char* text : {"", "\n", "# nothing", "[engine]", "\xef\xbb\xbf"}) {
    CAPTURE(text);
    const Config config = accepted(text);
    const unsigned cpus = std::clamp(std::thread::hardware_concurrency(), 1u, 256u);
    CHECK(config.engine.queue_first == 0);
    CHECK(config.engine.queue_count == cpus);
    CHECK(config.engine.queue_length == 4096);
    CHECK(config.engine.copy_bytes == 256);
    CHECK(config.engine.hooks == std::vector{Hook::Prerouting});
    CHECK(config.engine.manage == Manage::Table);
    CHECK(config.engine.mark.mask == 0xfff00000);
    CHECK(config.engine.bypass);
    CHECK(config.engine.on_bad_packet == Action::Accept);
    CHECK(config.engine.on_no_route == RouteTarget(Action::Accept));
    CHECK(config.cache.entries == 32'768);
    CHECK(!config.cache.route_entries);
    CHECK(config.cache.timeout_s == 300);
    CHECK(config.groups.empty());
    CHECK(config.sets.empty());
    CHECK(config.schedules.empty());
    CHECK(!config.countries);
    CHECK(config.tables.empty());
    CHECK(config.policies.empty());
  }
}

namespace {

using Values = std::vector<Value>;

// What the criterion of that name has.
Values values(const Match& criteria, std::string_view name) {
  for (const Criterion& criterion : criteria)
    if (criterion.field->name == name) return criterion.any;
  return {};
}

}  // namespace

TEST_CASE("values arrive in the Config") {
  const Config config = accepted(R"(
[[policy]]
name = "api"
priority = 200
match = { proto = "tcp", dport = [8080, "9000-9100"], daddr = "10.9.9.0/24" }
group = "web"
[[policy]]
name = "rest"
enabled = false
dry_run = true
match = [{ saddr = ["10.0.0.0/8", "!10.1.0.0/16", "!@office"] }, {}, { schedule = "night", mark = "0x10/0xf0" }]
table = "main"
[[policy]]
name = "none"
action = "reject"

[table.main]
priority = -5
routes = [
  { prefix = "10.9.9.9/32", group = "web", metric = 100, weight = 7 },
  { prefix = "::/0", action = "drop" },
]
[table.alpha]
default_group = "app"

[set.office]
prefixes = "192.0.2.0/24"
[schedule.night]
timezone = "UTC"
windows = [{}]

[cache]
entries = 0
route_entries = 4096
timeout = "2m"

[group.web]
algorithm = "weighted"
snat = true
servers = [
  { name = "b", address = "10.2.0.1", port = 8080, weight = 100 },
  { name = "a", address = "2001:db8::1" },
]
[group.app]
servers = [{ name = "x", address = "10.2.0.9" }]

[engine]
queues = "4-7"
hooks = ["output", "prerouting"]
manage = "elements"
mark_mask = 0xff00
queue_length = 100
copy_bytes = 128
on_engine_down = "drop"
on_bad_packet = "drop"
on_no_route = "app"
)");
  CHECK(config.engine.queue_first == 4);
  CHECK(config.engine.queue_count == 4);
  CHECK(config.engine.hooks == std::vector{Hook::Output, Hook::Prerouting});
  CHECK(config.engine.manage == Manage::Elements);
  CHECK(config.engine.mark.mask == 0xff00);
  CHECK(config.engine.queue_length == 100);
  CHECK(config.engine.copy_bytes == 128);
  CHECK(!config.engine.bypass);
  CHECK(config.engine.on_bad_packet == Action::Drop);
  CHECK(config.engine.on_no_route == RouteTarget(ToGroup{"app"}));
  CHECK(config.cache.entries == 0);
  CHECK(config.cache.route_entries == 4096);
  CHECK(config.cache.timeout_s == 120);

  REQUIRE(config.groups.size() == 2);
  const GroupConfig& web = config.groups[0];  // the order of the file, not of the names
  CHECK(web.name == "web");
  CHECK(web.algorithm == "weighted");
  CHECK(web.snat);
  REQUIRE(web.servers.size() == 2);
  CHECK(web.servers[0].name == "b");
  CHECK(web.servers[0].address == Address::v4(0x0a020001));
  CHECK(web.servers[0].port == 8080);
  CHECK(web.servers[0].weight == 100);
  CHECK(web.servers[1].address == Address::v6(0x20010db800000000, 1));
  CHECK(!web.servers[1].port);
  CHECK(web.servers[1].weight == 1);
  CHECK(config.groups[1].name == "app");
  CHECK(config.groups[1].algorithm == "round-robin");
  CHECK(!config.groups[1].snat);

  REQUIRE(config.tables.size() == 2);
  CHECK(config.tables[0].name == "main");
  CHECK(config.tables[0].priority == -5);
  REQUIRE(config.tables[0].routes.size() == 2);
  CHECK(config.tables[0].routes[0] ==
        RouteConfig{{Address::v4(0x0a090909), 32}, ToGroup{"web"}, 100, 7});
  CHECK(config.tables[0].routes[1] == RouteConfig{{Address::v6(0, 0), 0}, Action::Drop, 0, 1});
  CHECK(!config.tables[0].default_group);
  CHECK(config.tables[1].default_group == "app");
  CHECK(config.tables[1].name == "alpha");
  CHECK(config.tables[1].priority == 0);

  REQUIRE(config.policies.size() == 3);
  const PolicyConfig& api = config.policies[0];
  CHECK(api.name == "api");
  CHECK(api.priority == 200);
  CHECK(std::get<ToGroup>(api.target).name == "web");
  CHECK(api.enabled);
  CHECK(!api.dry_run);
  REQUIRE(api.match.size() == 1);
  CHECK(values(api.match[0], "proto") == Values{Interval{6, 6}});
  CHECK(values(api.match[0], "dport") == Values{Interval{8080, 8080}, Interval{9000, 9100}});
  CHECK(values(api.match[0], "daddr") == Values{Prefix{Address::v4(0x0a090900), 24}});

  const PolicyConfig& rest = config.policies[1];
  CHECK(!rest.enabled);
  CHECK(rest.dry_run);
  REQUIRE(rest.match.size() == 3);
  CHECK(values(rest.match[0], "saddr") == Values{Prefix{Address::v4(0x0a000000), 8}});
  CHECK(rest.match[0].front().none == Values{Prefix{Address::v4(0x0a010000), 16}, "@office"});
  CHECK(rest.match[1].empty());
  CHECK(values(rest.match[2], "schedule") == Values{"night"});
  CHECK(values(rest.match[2], "mark") == Values{Masked{0x10, 0xf0}});
  CHECK(config.policies[1].priority == 0);
  CHECK(std::get<ToTable>(config.policies[1].target).name == "main");
  CHECK(std::get<Action>(config.policies[2].target) == Action::Reject);
}
