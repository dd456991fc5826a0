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
      {"low", 10, {route("0.0.0.0/0", "four"), route("::/0", "six")}},
      {"high", 100, {route("10.9.9.0/24", "web"), route("2001:db8:9::/48", "web")}},
      {"hidden", 50, {route("10.9.0.0/16", "four")}},
  };
  config.policies = {
      {"late", 1, {}, ToGroup{"four"}},
      {"api", 200, {criterion("proto", {"tcp"}), criterion("dport", {"8080"})}, ToGroup{"web"}},
      {"no-telnet", 300, {criterion("dport", {"23"})}, Action::Reject},
      {"quiet", 300, {criterion("dport", {"23", "24"})}, Action::Drop},
      {"local", 300, {criterion("saddr", {"192.168.0.0/16"})}, Action::Accept},
      {"by-table", 250, {criterion("dport", {"7"})}, ToTable{"hidden"}},
      {"only-six", 240, {criterion("dport", {"6"})}, ToGroup{"six"}},
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
    CHECK(describe(*snapshot, decide(*snapshot, row.flow)) == row.want);
  }
}

TEST_CASE("decide: where nothing fits, the flow is accepted as it is") {
  Config config;
  GroupStates states;
  const auto empty = compile(config, states);
  const Decision decision = decide(*empty, flow("tcp", "192.0.2.7", 1, "10.9.9.9", 80));
  CHECK(decision == Decision{});
  CHECK(mark_bits(MarkLayout{}, decision) == MarkLayout{}.pass());
}

TEST_CASE("decide: a group that had no server of the family is remembered") {
  Config config = example();
  GroupStates states;
  const auto snapshot = compile(config, states);
  const Decision decision = decide(*snapshot, flow("udp", "192.0.2.7", 1, "10.9.1.1", 6));
  REQUIRE(decision.failed_group);
  CHECK(snapshot->groups[*decision.failed_group].name == "six");
}

TEST_CASE("decide: does not allocate") {
  Config config = example();
  GroupStates states;
  const auto snapshot = compile(config, states);
  const Flow flows[] = {flow("tcp", "192.0.2.7", 1, "10.9.9.9", 8080),
                        flow("tcp", "192.0.2.7", 1, "10.9.9.9", 23),
                        flow("udp", "2001:db8::7", 1, "2001:db8:8::9", 99)};
  const std::uint64_t before = allocations();
  for (int i = 0; i < 1000; ++i)
    for (const Flow& each : flows) decide(*snapshot, each);
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

  decide(*snapshot, flow("tcp", "192.0.2.7", 1, "10.9.9.9", 8080));
  compile(config, states);
  CHECK(states.at("web")->v4.ticket == 1);
  CHECK(states.at("web")->v6.ticket == 0);
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
