#include <doctest/doctest.h>

#include <functional>

#include "nfsteer/base/text.hpp"
#include "nfsteer/steering.hpp"

using namespace nfsteer;

namespace {

Prefix prefix(const char* text) {
  return parse_prefix(text).value();
}

Match match(const char* field, const char* value) {
  Match made{{find_field(field), {}, {}}};
  REQUIRE(made.front().add(value));
  return made;
}

Config sample() {
  Config config;
  GroupConfig& web = config.groups.emplace_back();
  web.name = "web";
  web.servers = {{.name = "web1", .address = *parse_address("10.2.0.1"), .port = 80},
                 {.name = "web2", .address = *parse_address("10.2.0.2"), .port = 80}};
  GroupConfig& dns = config.groups.emplace_back();
  dns.name = "dns";
  dns.servers = {{.name = "ns1", .address = *parse_address("2001:db8::53"), .port = 53}};
  config.schedules = {{"night", "UTC", {{}}, {}}};
  config.tables = {
      {"main",
       0,
       {},
       {{prefix("10.0.0.0/8"), ToGroup{"web"}}, {prefix("10.1.0.0/16"), Action::Drop}}}};
  PolicyConfig& ssh = config.policies.emplace_back();
  ssh.name = "ssh";
  ssh.match = {match("dport", "22")};
  return config;
}

using Change = std::function<void(Config&)>;
GroupConfig& web(Config& config) {
  return config.groups[0];
}

std::string differences(const Change& change) {
  Steering steering(1);
  REQUIRE(steering.apply(sample()).empty());
  Config next = sample();
  change(next);
  REQUIRE(validate(next).empty());
  return fmt::to_string(join(steering.difference(prepare(next)).changes, "; "));
}

}  // namespace

TEST_CASE("difference: each thing that can be another, by its name") {
  const struct {
    const char* want;
    Change change;
  } kCases[] = {
      {"", [](Config&) {}},
      {"", [](Config& c) { std::swap(c.groups[0], c.groups[1]); }},
      {"", [](Config& c) { std::swap(c.tables[0].routes[0], c.tables[0].routes[1]); }},
      {"~ engine.hooks prerouting -> prerouting,output",
       [](Config& c) {
         c.engine.hooks = {Hook::Prerouting, Hook::Output};
       }},
      {"~ engine.on_no_route accept -> group dns",
       [](Config& c) { c.engine.on_no_route = ToGroup{"dns"}; }},
      {"~ engine.on_engine_down bypass -> drop", [](Config& c) { c.engine.bypass = false; }},
      {"~ cache.route_entries - -> 5", [](Config& c) { c.cache.route_entries = 5; }},
      {"~ group.web.algorithm round-robin -> hash", [](Config& c) { web(c).algorithm = "hash"; }},
      {"~ group.web.hash - -> saddr,dport; ~ group.web.algorithm round-robin -> maglev",
       [](Config& c) {
         web(c).algorithm = "maglev";
         web(c).hash = TupleParts{};
         web(c).hash->source = web(c).hash->destination_port = true;
       }},
      {"~ group.web.affinity - -> /32 /64 1800s 200000",
       [](Config& c) { web(c).affinity.emplace(); }},
      {"~ group.web.failover none -> immediate",
       [](Config& c) { web(c).failover.failover = Failover::Immediate; }},
      {"~ group.web.web2.weight 1 -> 20; ~ group.web.web2.state up -> drain",
       [](Config& c) {
         web(c).servers[1].weight = 20;
         web(c).servers[1].state = ServerState::Drain;
       }},
      {"~ group.dns.ns1.address [2001:db8::53]:53 -> 2001:db8::53",
       [](Config& c) { c.groups[1].servers[0].port.reset(); }},
      {"- group.web.web1; + group.web.web3", [](Config& c) { web(c).servers[0].name = "web3"; }},
      {"- group.dns; + group.ntp", [](Config& c) { c.groups[1].name = "ntp"; }},
      {"~ schedule.night", [](Config& c) { c.schedules[0].timezone = "Europe/Zurich"; }},
      {"~ table.main.priority 0 -> 7; ~ table.main.default_group - -> dns",
       [](Config& c) {
         c.tables[0].priority = 7;
         c.tables[0].default_group = "dns";
       }},
      {"- table.main.routes 10.0.0.0/8 metric 0 to web; + table.main.routes 10.0.0.0/8 metric 5 "
       "to web",
       [](Config& c) { c.tables[0].routes[0].metric = 5; }},
      {"~ table.main.routes 10.1.0.0/16 metric 0 to drop weight 1 -> 9",
       [](Config& c) { c.tables[0].routes[1].weight = 9; }},
      {"- table.main; + table.other", [](Config& c) { c.tables[0].name = "other"; }},
      {"~ policy.ssh.target accept -> table main; ~ policy.ssh.match",
       [](Config& c) {
         c.policies[0].target = ToTable{"main"};
         c.policies[0].match = {match("dport", "2222")};
       }},
      {"- policy.ssh", [](Config& c) { c.policies[0].enabled = false; }},
  };
  for (const auto& [want, change] : kCases) {
    std::string got = differences(change);
    // The order of keys within a group is of no consequence.
    if (got == "~ group.web.algorithm round-robin -> maglev; ~ group.web.hash - -> saddr,dport")
      got = "~ group.web.hash - -> saddr,dport; ~ group.web.algorithm round-robin -> maglev";
    CHECK(got == want);
  }
}

TEST_CASE("difference: of many the first are told, the others counted") {
  Steering steering(1);
  Config config = sample();
  REQUIRE(steering.apply(config).empty());
  for (std::uint32_t i = 0; i < 5'000; ++i)
    config.tables[0].routes.push_back({{Address::v4(0xc0000000 + i), 32}, Action::Drop});
  const Difference difference = steering.difference(prepare(config));
  CHECK(difference.changes.size() == kChangesMax);
  CHECK(difference.left_out == 4'000);
}

TEST_CASE("apply: what cannot be carried out changes nothing") {
  Steering steering(1);
  Config config = sample();
  REQUIRE(steering.apply(config).empty());
  const auto before = steering.world().snapshot;
  const ServerId id = steering.find_server("web/web1")->id;
  config.groups[0].servers[0].address = *parse_address("10.2.0.99");
  erase_named(config.groups, "dns");
  const auto applied = steering.apply(prepare(config), {}, [](const World& next) -> Result<void> {
    CHECK(next.snapshot->groups.size() == 1);
    return fail("the kernel says no");
  });
  REQUIRE(!applied);
  CHECK(applied.error().message == "the kernel says no");
  CHECK(steering.world().snapshot == before);
  CHECK(steering.find_server("web/web1")->id == id);
  CHECK(steering.state_of(*steering.find_server("dns/ns1")) == ServerState::Up);
  CHECK(steering.statistics(1).groups.size() == 2);
  REQUIRE(steering.apply(prepare(config), {}, [](const World&) { return Result<void>(); }));
  CHECK(steering.statistics(1).groups.size() == 1);
  CHECK(steering.find_server("web/web1")->id != id);  // another server
}

TEST_CASE("apply: ids of servers that left are given again once no flow carries them") {
  Steering steering(1);
  Config config = sample();
  REQUIRE(steering.apply(config).empty());
  const ServerId left = steering.find_server("web/web1")->id;
  const auto replace = [&](const char* name, const KnownIds& known) {
    config.groups[0].servers[0].name = name;
    REQUIRE(steering.apply(prepare(config), known, [](const World&) { return Result<void>(); }));
    return steering.find_server(format("web/{}", name))->id;
  };
  const ServerId second = replace("b", {});
  CHECK(second != left);  // it was there until now
  KnownIds in_use;
  in_use.in_use = {left};
  const ServerId third = replace("c", in_use);
  CHECK(third != left);
  CHECK(third != second);
  CHECK(replace("d", {}) == left);
}
