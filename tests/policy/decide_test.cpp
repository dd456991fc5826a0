#include <doctest/doctest.h>

#include <string>

#include "../allocations.hpp"
#include "build.hpp"
#include "nfsteer/base/text.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

Config example() {
  Config config;
  config.groups = {
      {"web",
       "round-robin",
       false,
       {server("a", "10.2.0.1", 8080), server("six", "2001:db8:2::1", 8080)}},
      {"four", "round-robin", false, {server("b", "10.2.0.2")}},
      {"six", "round-robin", false, {server("c", "2001:db8:2::3")}},
  };
  config.tables = {
      table("low", 10, {route("0.0.0.0/0", "four"), route("::/0", "six")}),
      table("high", 100, {route("10.9.9.0/24", "web"), route("2001:db8:9::/48", "web")}),
      table("hidden", 50, {route("10.9.0.0/16", "four")}),
  };
  config.policies = {
      policy("late", 1, {}, ToGroup{"four"}),
      policy("api", 200, {criterion("proto", {"tcp"}), criterion("dport", {"8080"})},
             ToGroup{"web"}),
      policy("no-telnet", 300, {criterion("dport", {"23"})}, Action::Reject),
      policy("quiet", 300, {criterion("dport", {"23", "24"})}, Action::Drop),
      policy("local", 300, {criterion("saddr", {"192.168.0.0/16"})}, Action::Accept),
      policy("by-table", 250, {criterion("dport", {"7"})}, ToTable{"hidden"}),
      policy("only-six", 240, {criterion("dport", {"6"})}, ToGroup{"six"}),
  };
  return config;
}

// "steer policy=api table=- group=web server=a", the decision for reading.
std::string describe(const Snapshot& snapshot, const Decision& decision) {
  const auto name_in = [](const auto& list, const auto& index) {
    return index ? std::string(list[*index].name) : std::string("-");
  };
  return format("{} policy={} table={} group={} server={}", name(decision.action),
                name_in(snapshot.policies, decision.policy),
                decision.table ? snapshot.tables[*decision.table].name() : "-",
                name_in(snapshot.groups, decision.group),
                decision.server ? snapshot.servers[decision.server]->name : "-");
}

}  // namespace

TEST_CASE("decide: policies by priority, then tables, then the flow as it is") {
  Config config = example();
  REQUIRE(validate(config).empty());
  GroupStates states;
  const auto snapshot = compile(config, states);
  const struct {
    Flow flow;
    const char* want;
  } kCases[] = {
      {flow("tcp", "192.0.2.7", 1, "10.9.9.9", 8080),
       "steer policy=api table=- group=web server=a"},
      {flow("udp", "192.0.2.7", 1, "10.9.9.9", 8080),
       "steer policy=late table=- group=four server=b"},
      {flow("tcp", "2001:db8::7", 1, "2001:db8:9::9", 8080),
       "steer policy=api table=- group=web server=six"},
      {flow("tcp", "192.0.2.7", 1, "10.9.9.9", 23),
       "reject policy=no-telnet table=- group=- server=-"},
      {flow("tcp", "192.0.2.7", 1, "10.9.9.9", 24), "drop policy=quiet table=- group=- server=-"},
      {flow("tcp", "192.168.1.1", 1, "10.9.9.9", 8080),
       "accept policy=local table=- group=- server=-"},
      {flow("udp", "192.0.2.7", 1, "10.9.1.1", 7),
       "steer policy=by-table table=hidden group=four server=b"},
      // A policy whose table has no route, or whose group has no server of the
      // flow's family, is passed over.
      {flow("udp", "192.0.2.7", 1, "10.8.1.1", 7), "steer policy=late table=- group=four server=b"},
      {flow("udp", "192.0.2.7", 1, "10.9.1.1", 6), "steer policy=late table=- group=four server=b"},
      {flow("udp", "2001:db8::7", 1, "2001:db8:9::9", 6),
       "steer policy=only-six table=- group=six server=c"},
      // "late" has no IPv6 server: the tables decide.
      {flow("udp", "2001:db8::7", 1, "2001:db8:9::9", 99),
       "steer policy=- table=high group=web server=six"},
      {flow("udp", "2001:db8::7", 1, "2001:db8:8::9", 99),
       "steer policy=- table=low group=six server=c"},
  };
  for (const auto& row : kCases) {
    CAPTURE(to_string(row.flow.tuple));
    CHECK(describe(*snapshot, testing::decide(*snapshot, row.flow)) == row.want);
  }
}

TEST_CASE("decide: where nothing fits, the flow is accepted as it is") {
  Config config;
  GroupStates states;
  const auto empty = compile(config, states);
  const Decision decision = testing::decide(*empty, flow("tcp", "192.0.2.7", 1, "10.9.9.9", 80));
  CHECK(decision == Decision{});
  CHECK(mark_bits(MarkLayout{}, decision) == MarkLayout{}.pass());
}

TEST_CASE("decide: a group that had no server of the family is remembered") {
  Config config = example();
  GroupStates states;
  const auto snapshot = compile(config, states);
  const Decision decision = testing::decide(*snapshot, flow("udp", "192.0.2.7", 1, "10.9.1.1", 6));
  REQUIRE(decision.failed_group);
  CHECK(snapshot->groups[*decision.failed_group].name == "six");
}

TEST_CASE("decide: a policy that is not enabled is not there") {
  Config config = example();
  find_named(config.policies, "no-telnet")->enabled = false;
  GroupStates states;
  const auto snapshot = compile(config, states);
  CHECK(snapshot->policies.size() == 6);
  CHECK(describe(*snapshot,
                 testing::decide(*snapshot, flow("tcp", "192.0.2.7", 1, "10.9.9.9", 23))) ==
        "drop policy=quiet table=- group=- server=-");
}

TEST_CASE("decide: a dry run says that it matched, and goes on") {
  Config config = example();
  find_named(config.policies, "no-telnet")->dry_run = true;
  find_named(config.policies, "late")->dry_run = true;
  GroupStates states;
  const auto snapshot = compile(config, states);
  const struct {
    unsigned dport;
    bool dry_run;
    const char* want;
  } kCases[] = {
      {23, true, "drop policy=quiet table=- group=- server=-"},
      {24, false, "drop policy=quiet table=- group=- server=-"},
      {99, true, "steer policy=- table=high group=web server=a"},  // "late" has any flow
  };
  for (const auto& row : kCases) {
    CAPTURE(row.dport);
    const Decision decision =
        testing::decide(*snapshot, flow("tcp", "192.0.2.7", 1, "10.9.9.9", row.dport));
    CHECK(decision.dry_run == row.dry_run);
    CHECK(describe(*snapshot, decision) == row.want);
  }
}

TEST_CASE("decide: one of a policy's alternatives is enough") {
  Config config = example();
  PolicyConfig& api = *find_named(config.policies, "api");
  api.match.push_back({criterion("proto", {"udp"}), criterion("dport", {"53", "5353"})});
  api.match.push_back({criterion("saddr", {"@near"}), criterion("dport", {"!1-1023"})});
  config.sets = {{"near", {*parse_prefix("192.0.2.0/25"), *parse_prefix("2001:db8:a::/48")}}};
  REQUIRE(validate(config).empty());
  GroupStates states;
  const auto snapshot = compile(config, states);
  const struct {
    Flow flow;
    bool api;
  } kCases[] = {
      {flow("tcp", "192.0.2.200", 1, "10.9.9.9", 8080), true},
      {flow("tcp", "192.0.2.200", 1, "10.9.9.9", 8081), false},
      {flow("udp", "192.0.2.200", 1, "10.9.9.9", 53), true},
      {flow("tcp", "192.0.2.200", 1, "10.9.9.9", 53), false},
      {flow("tcp", "192.0.2.7", 1, "10.9.9.9", 1024), true},
      {flow("tcp", "192.0.2.7", 1, "10.9.9.9", 1023), false},
      {flow("udp", "2001:db8:a::1", 1, "2001:db8:9::9", 1024), true},
      {flow("udp", "2001:db8:b::1", 1, "2001:db8:9::9", 1024), false},
  };
  for (const auto& row : kCases) {
    CAPTURE(to_string(row.flow.tuple));
    const Decision decision = testing::decide(*snapshot, row.flow);
    CHECK((decision.policy && snapshot->policies[*decision.policy].name == "api") == row.api);
  }
}

TEST_CASE("decide: every field of a flow can decide") {
  const struct {
    const char* field;
    const char* value;
    void (*make)(Flow&);  // a flow that matches of one that does not
  } kCases[] = {
      {"mark", "0x10/0xf0", [](Flow& f) { f.mark = 0xabcd'ef1f; }},
      {"mark", "!0", [](Flow& f) { f.mark = 0x8000'0000; }},
      {"iif", "eth*", [](Flow& f) { f.in_interface = interface_key("eth3"); }},
      {"oif", "wg0", [](Flow& f) { f.out_interface = interface_key("wg0"); }},
      {"uid", "1000-1999", [](Flow& f) { f.uid = 1999; }},
      {"gid", "0", [](Flow& f) { f.gid = 0; }},
      {"icmp_type", "echo-request",
       [](Flow& f) {
         f.tuple.protocol = protocol::kIcmp;
         f.has_ports = false;
         f.icmp_type = 8;
       }},
      {"scountry", "CH", [](Flow& f) { f.tuple.source = *parse_address("10.1.2.3"); }},
      {"scountry", "EU", [](Flow& f) { f.tuple.source = *parse_address("11.1.2.3"); }},
      {"scountry", "near", [](Flow& f) { f.tuple.source = *parse_address("10.1.2.3"); }},
      {"scountry", "!--", [](Flow& f) { f.tuple.source = *parse_address("10.2.2.3"); }},
      {"dcountry", "DE", [](Flow& f) { f.tuple.destination = *parse_address("10.0.0.1"); }},
      {"dcountry", "!--",
       [](Flow& f) {
         f.tuple.source = *parse_address("2001:db9::1");
         f.tuple.destination = *parse_address("2001:db8::1");
       }},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.field);
    CAPTURE(row.value);
    Config config;
    config.countries = countries();
    config.country_groups = {{"near", {"CH", "FR"}}};
    config.policies = {policy("p", 0, {criterion(row.field, {row.value})}, Action::Drop)};
    REQUIRE(validate(config).empty());
    GroupStates states;
    const auto snapshot = compile(config, states);
    Flow asked = flow("tcp", "192.0.2.7", 1, "192.0.2.9", 80);
    CHECK(testing::decide(*snapshot, asked).action == Action::Accept);
    row.make(asked);
    CHECK(testing::decide(*snapshot, asked).action == Action::Drop);
  }
}

TEST_CASE("decide: a country of which the database has no address is no flow's") {
  Config config;
  config.countries = countries();
  config.policies = {policy("there", 2, {criterion("scountry", {"US"})}, Action::Drop),
                     policy("elsewhere", 1, {criterion("scountry", {"!US"})}, Action::Reject)};
  if (const auto problems = validate(config); !problems.empty()) FAIL(problems[0].message);
  GroupStates states;
  const auto snapshot = compile(config, states);
  for (const char* source : {"10.0.0.1", "192.0.2.7"})
    CHECK(testing::decide(*snapshot, flow("tcp", source, 1, "192.0.2.9", 80)).action ==
          Action::Reject);
}

TEST_CASE("decide: schedules at a time; when they change next") {
  Config config;
  config.schedules = {schedule("day", "08:00", "20:00"), schedule("night", "20:00", "08:00"),
                      schedule("lunch", "12:00", "13:00"), schedule("ever", "00:00", "24:00")};
  config.policies = {
      policy("closed", 9, {criterion("schedule", {"lunch"}), criterion("dport", {"80"})},
             Action::Reject),
      policy("day", 8, {criterion("schedule", {"day", "!lunch"})}, Action::Drop),
      policy("night", 7, {criterion("schedule", {"!day", "lunch"})}, Action::Reject),
      policy("lunch", 6, {criterion("schedule", {"lunch", "night"})}, Action::Accept)};
  REQUIRE(validate(config).empty());
  GroupStates states;
  const auto snapshot = compile(config, states);
  const struct {
    const char* time;
    const char* policy;  // of a flow to port 80
    const char* other;   // to another port
    const char* next;
  } kCases[] = {
      {"2026-11-27T08:00:00Z", "day", "day", "2026-11-27T12:00:00Z"},
      {"2026-11-27T11:59:59Z", "day", "day", "2026-11-27T12:00:00Z"},
      {"2026-11-27T12:00:00Z", "closed", "lunch", "2026-11-27T13:00:00Z"},
      {"2026-11-27T13:00:00Z", "day", "day", "2026-11-27T20:00:00Z"},
      {"2026-11-27T20:00:00Z", "lunch", "lunch", "2026-11-28T08:00:00Z"},
      {"2026-11-27T07:59:59Z", "lunch", "lunch", "2026-11-27T08:00:00Z"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.time);
    const Time time = parse_moment(row.time, Time()).value();
    const Situation situation = situation_at(*snapshot, time);
    const auto taken = [&](unsigned port) {
      const Decision decision =
          decide(*snapshot, situation, flow("tcp", "192.0.2.7", 1, "192.0.2.9", port));
      return decision.policy ? snapshot->policies[*decision.policy].name : "-";
    };
    CHECK(taken(80) == row.policy);
    CHECK(taken(81) == row.other);
    CHECK(to_utc_string(next_activity(*snapshot, time)) == row.next);
  }
  config.schedules.resize(4);
  config.schedules.erase(config.schedules.begin(), config.schedules.begin() + 3);
  config.policies.clear();
  CHECK(next_activity(*compile(config, states), Time()) == Time::max());
}

TEST_CASE("decide: Peek tells what Take does, and moves nothing") {
  Config config = example();
  config.groups[0].servers.push_back(server("a2", "10.2.0.3"));
  config.groups[0].servers.push_back(server("a3", "10.2.0.4"));
  GroupStates states;
  const auto snapshot = compile(config, states);
  const Situation situation = situation_at(*snapshot, Time());
  const Flow each = flow("tcp", "192.0.2.7", 1, "10.9.9.9", 8080);
  std::string servers;
  for (int i = 0; i < 6; ++i) {
    const std::uint64_t before = states.groups.at("web")->v4.ticket->next;
    const Decision told = decide(*snapshot, situation, each, Turn::Peek);
    CHECK(decide(*snapshot, situation, each, Turn::Peek) == told);
    CHECK(states.groups.at("web")->v4.ticket->next == before);
    CHECK(decide(*snapshot, situation, each) == told);
    servers += snapshot->servers[told.server]->name + " ";
  }
  CHECK(servers == "a a2 a3 a a2 a3 ");
}

TEST_CASE("decide: does not allocate") {
  Config config = example();
  config.countries = countries();
  config.schedules = {schedule("day", "00:00", "12:00")};
  config.policies.push_back(policy(
      "odd", 500,
      {criterion("scountry", {"!DE"}), criterion("iif", {"!eth0"}), criterion("schedule", {"day"})},
      Action::Drop));
  GroupStates states;
  const auto snapshot = compile(config, states);
  Flow near = flow("tcp", "10.1.0.7", 1, "10.9.9.9", 8080);
  near.in_interface = interface_key("eth1");
  const Flow flows[] = {near, flow("tcp", "192.0.2.7", 1, "10.9.9.9", 8080),
                        flow("tcp", "192.0.2.7", 1, "10.9.9.9", 23),
                        flow("udp", "2001:db8::7", 1, "2001:db8:8::9", 99)};
  const Situation situation = situation_at(*snapshot, Time());
  CHECK(decide(*snapshot, situation, near).action == Action::Drop);
  const std::uint64_t before = allocations();
  for (int i = 0; i < 1000; ++i)
    for (const Flow& each : flows) decide(*snapshot, situation, each);
  CHECK(allocations() == before);
}

TEST_CASE("compile: ids in the order of the file, indexes by priority, cursors kept") {
  Config config = example();
  GroupStates states;
  const auto snapshot = compile(config, states);
  CHECK(snapshot->policies.front().name == "no-telnet");
  CHECK(snapshot->policies.back().name == "late");
  CHECK(snapshot->tables.front().name() == "high");
  REQUIRE(snapshot->servers.size() == 5);
  CHECK(snapshot->servers[0] == nullptr);
  const char* const kNames[] = {"a", "six", "b", "c"};
  for (ServerId id = 1; id < 5; ++id) {
    CHECK(snapshot->servers[id]->name == kNames[id - 1]);
    CHECK(snapshot->servers[id]->id == id);
  }
  CHECK(snapshot->groups[snapshot->server_groups[4]].name == "six");

  testing::decide(*snapshot, flow("tcp", "192.0.2.7", 1, "10.9.9.9", 8080));
  compile(config, states);
  CHECK(states.groups.at("web")->v4.ticket->next == 1);
  CHECK(states.groups.at("web")->v6.ticket->next == 0);
}

TEST_CASE("compile: a server keeps its id, and no other gets one that flows carry") {
  Config config = example();
  GroupStates states;
  KnownIds known;
  known.servers[{"web/six", *parse_address("2001:db8:2::1"), 8080}] = 7;
  known.servers[{"web/a", *parse_address("10.2.0.1"), 9090}] = 3;  // another port: another server
  known.servers[{"gone/x", *parse_address("10.2.0.9"), {}}] = 2;
  known.in_use = {1, 2};
  const auto snapshot = compile(config, states, known);
  REQUIRE(snapshot->servers.size() == 8);
  CHECK(snapshot->servers[7]->name == "six");
  CHECK(snapshot->servers[3]->name == "a");
  CHECK(snapshot->servers[4]->name == "b");
  CHECK(snapshot->servers[5]->name == "c");
  for (const std::size_t id : {0u, 1u, 2u, 6u}) CHECK(snapshot->servers[id] == nullptr);

  // Where flows carry every other id, one is given again.
  config.engine.mark.mask = 0x7;  // room for 5
  known.servers.clear();
  known.in_use = {1, 2, 3, 4};
  const auto tight = compile(config, states, known);
  REQUIRE(tight->servers.size() == 6);
  CHECK(tight->servers[5]->name == "a");
  CHECK(tight->servers[1]->name == "six");
  CHECK(tight->servers[3]->name == "c");
}

TEST_CASE("mark bits: what each action writes") {
  const MarkLayout layout;
  Decision decision;
  decision.action = Action::Steer;
  decision.server = 3;
  CHECK(mark_bits(layout, decision) == 0x00300000);
  decision.action = Action::Reject;
  CHECK(mark_bits(layout, decision) == layout.reject());
  decision.action = Action::Drop;
  CHECK(mark_bits(layout, decision) == 0);
}
