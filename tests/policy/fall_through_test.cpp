// What happens after the policies: tables, their routes, and what is left where
// none of them leads anywhere. validate() refuses a route to a group without a
// server of the family; decide() must pass over it nevertheless.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <random>
#include <string>

#include "build.hpp"
#include "nfsteer/base/text.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

std::vector<GroupConfig> groups() {
  return {{"four", "round-robin", false, {server("f", "10.2.0.1")}},
          {"six", "round-robin", false, {server("s", "2001:db8:2::1")}},
          {"both", "round-robin", false, {server("b4", "10.2.0.2"), server("b6", "2001:db8:2::2")}},
          {"none", "round-robin", false, {}}};
}

// "steer main 10.9.9.0/24 metric 5 four", the way for reading.
std::string describe(const Snapshot& snapshot, const Decision& decision) {
  std::string text = name(decision.action);
  if (decision.table) text += " " + snapshot.tables[*decision.table].name();
  if (decision.route) {
    const Route& route = snapshot.tables[*decision.table].routes()[*decision.route];
    text += format(" {} metric {}", to_string(route.prefix), route.metric);
  } else if (decision.table) {
    text += " default";
  }
  if (decision.group) text += " " + snapshot.groups[*decision.group].name;
  return text;
}

std::string decided(const Config& config, const char* destination, unsigned dport = 80) {
  GroupStates states;
  const auto snapshot = compile(config, states);
  const bool v4 = std::string_view(destination).find('.') != std::string_view::npos;
  const Flow asked = flow("tcp", v4 ? "192.0.2.7" : "2001:db8::7", 1, destination, dport);
  return describe(*snapshot, testing::decide(*snapshot, asked));
}

RouteConfig weighted(const std::string& group, std::uint32_t weight) {
  RouteConfig made = route("10.9.0.0/16", group);
  made.weight = weight;
  return made;
}

std::vector<Flow> flows(std::size_t count) {
  std::mt19937_64 random(9);
  std::vector<Flow> made;
  for (std::size_t i = 0; i < count; ++i) {
    made.push_back(flow("tcp", "192.0.2.7", static_cast<std::uint16_t>(random()), "10.9.1.1", 80));
    made.back().tuple.source = Address::v4(static_cast<std::uint32_t>(random()));
  }
  return made;
}

// The names of the groups that the flows go to.
std::vector<std::string> groups_of(const Config& config, const std::vector<Flow>& asked) {
  GroupStates states;
  const auto snapshot = compile(config, states);
  std::vector<std::string> names;
  for (const Flow& each : asked)
    names.push_back(snapshot->groups[*testing::decide(*snapshot, each).group].name);
  return names;
}

}  // namespace

TEST_CASE("routes: to actions as well as to groups") {
  Config config;
  config.groups = groups();
  config.tables = {table("main", 0,
                         {route("10.0.0.0/8", "four"), route("10.1.0.0/16", Action::Accept),
                          route("10.2.0.0/16", Action::Drop), route("10.3.0.0/16", Action::Reject),
                          route("::/0", Action::Reject, 7)})};
  REQUIRE_FALSE(validate(config).empty());  // "none" has no servers
  config.groups.pop_back();
  REQUIRE(validate(config).empty());
  CHECK(decided(config, "10.9.1.1") == "steer main 10.0.0.0/8 metric 0 four");
  CHECK(decided(config, "10.1.1.1") == "accept main 10.1.0.0/16 metric 0");
  CHECK(decided(config, "10.2.1.1") == "drop main 10.2.0.0/16 metric 0");
  CHECK(decided(config, "10.3.1.1") == "reject main 10.3.0.0/16 metric 0");
  CHECK(decided(config, "2001:db8::1") == "reject main ::/0 metric 7");
}

TEST_CASE("fall-through: next metric, next shorter prefix, default group, next table, no route") {
  Config config;
  config.groups = groups();
  config.engine.on_no_route = Action::Reject;
  config.tables = {
      table("second", 1, {route("10.9.9.0/24", "four"), route("10.0.0.0/8", Action::Drop)}),
      table("first", 2,
            {route("10.9.9.9/32", "six", 1), route("10.9.9.9/32", "none", 2),
             route("10.9.9.9/32", "both", 3), route("10.9.9.8/32", "six"),
             route("10.9.9.0/24", "six", 1), route("10.9.9.0/24", "four", 2),
             route("10.8.0.0/16", "six"), route("0.0.0.0/0", "none"), route("::/0", "four")}),
      table("third", 0, {route("10.0.0.0/8", "both"), route("2001:db8::/32", "both")})};
  config.tables[2].default_group = "six";
  const struct {
    const char* destination;
    const char* want;
  } kCases[] = {
      {"10.9.9.9", "steer first 10.9.9.9/32 metric 3 both"},
      {"10.9.9.8", "steer first 10.9.9.0/24 metric 2 four"},
      {"10.9.9.7", "steer first 10.9.9.0/24 metric 2 four"},
      {"10.8.1.1", "drop second 10.0.0.0/8 metric 0"},
      {"192.0.2.1", "reject"},  // the default group of "third" has IPv6 servers only
      {"2001:db8::1", "steer third 2001:db8::/32 metric 0 both"},
      {"2001:db9::1", "steer third default six"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.destination);
    CHECK(decided(config, row.destination) == row.want);
  }
}

TEST_CASE("default group: after every route of its own table, before the next table") {
  Config config;
  config.groups = groups();
  config.tables = {table("first", 2, {route("10.9.0.0/16", "six"), route("10.0.0.0/8", "both")}),
                   table("second", 1, {route("0.0.0.0/0", "both")})};
  config.tables[0].default_group = "four";
  CHECK(decided(config, "10.9.1.1") == "steer first 10.0.0.0/8 metric 0 both");
  CHECK(decided(config, "11.9.1.1") == "steer first default four");
  CHECK(decided(config, "2001:db8::1") == "accept");
  config.tables[0].default_group = "none";
  CHECK(decided(config, "11.9.1.1") == "steer second 0.0.0.0/0 metric 0 both");
}

TEST_CASE("a policy's table: looked at alone; then the next policy that matches") {
  Config config;
  config.groups = groups();
  config.tables = {table("own", 1, {route("10.9.0.0/16", "six"), route("10.8.0.0/16", "four")}),
                   table("other", 2, {route("10.9.0.0/16", "both")})};
  config.policies = {policy("own", 2, {}, ToTable{"own"}),
                     policy("web", 1, {criterion("dport", {"80"})}, ToGroup{"four"})};
  CHECK(decided(config, "10.8.1.1") == "steer own 10.8.0.0/16 metric 0 four");
  CHECK(decided(config, "10.9.1.1") == "steer four");
  CHECK(decided(config, "10.9.1.1", 81) == "steer other 10.9.0.0/16 metric 0 both");
  config.tables[0].default_group = "both";
  CHECK(decided(config, "10.9.1.1", 81) == "steer own default both");
}

TEST_CASE("on_no_route: an action, or a group where it serves the family") {
  const struct {
    RouteTarget target;
    const char *v4, *v6;
  } kCases[] = {
      {Action::Accept, "accept", "accept"},      {Action::Drop, "drop", "drop"},
      {Action::Reject, "reject", "reject"},      {ToGroup{"both"}, "steer both", "steer both"},
      {ToGroup{"four"}, "steer four", "accept"},
  };
  for (const auto& row : kCases) {
    Config config;
    config.groups = groups();
    config.engine.on_no_route = row.target;
    CHECK(decided(config, "10.9.1.1") == row.v4);
    CHECK(decided(config, "2001:db8::1") == row.v6);
    // A route of another prefix changes nothing.
    config.tables = {table("t", 0, {route("10.8.0.0/16", "four")})};
    CHECK(decided(config, "10.9.1.1") == row.v4);
  }
}

TEST_CASE("the first group that had no server of the family is named") {
  Config config;
  config.groups = groups();
  config.tables = {table(
      "t", 0,
      {route("10.9.9.9/32", "six"), route("10.9.9.0/24", "none"), route("10.9.0.0/16", "four")})};
  GroupStates states;
  const auto snapshot = compile(config, states);
  const Decision decision = testing::decide(*snapshot, flow("tcp", "10.0.0.1", 1, "10.9.9.9", 80));
  CHECK(describe(*snapshot, decision) == "steer t 10.9.0.0/16 metric 0 four");
  REQUIRE(decision.failed_group);
  CHECK(snapshot->groups[*decision.failed_group].name == "six");
}

TEST_CASE("equal routes: flows share by weight, and a flow's route is always the same") {
  Config config;
  for (const char* name : {"a", "b", "c"})
    config.groups.push_back({name, "round-robin", false, {server(name, "10.2.0.1")}});
  config.tables = {table("t", 0, {weighted("a", 1), weighted("b", 2), weighted("c", 5)})};
  REQUIRE(validate(config).empty());
  const std::vector<Flow> asked = flows(40'000);
  const auto before = groups_of(config, asked);
  std::map<std::string, double> counts;
  for (const std::string& each : before) ++counts[each];
  for (const auto& [name, weight] : {std::pair{"a", 1.0}, {"b", 2.0}, {"c", 5.0}}) {
    const double count = static_cast<double>(asked.size()), share = weight / 8;
    CHECK(std::abs(counts[name] - count * share) < 4 * std::sqrt(count * share * (1 - share)));
  }
  CHECK(groups_of(config, asked) == before);

  // Neither the order of routes nor that of groups, nor more groups, move a flow.
  Config turned = config;
  std::swap(turned.tables[0].routes[0], turned.tables[0].routes[2]);
  turned.groups.insert(turned.groups.begin(), groups()[0]);
  std::swap(turned.groups[1], turned.groups[3]);
  CHECK(groups_of(turned, asked) == before);

  // Where one has no server of the family its flows move, and no other.
  Config without = config;
  without.groups[1].servers = {server("b", "2001:db8:2::1")};
  const auto after = groups_of(without, asked);
  std::size_t moved = 0;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    CHECK(after[i] != "b");
    if (after[i] == before[i]) continue;
    CHECK(before[i] == "b");
    ++moved;
  }
  CHECK(static_cast<double>(moved) == counts["b"]);

  // An action is one of the equal ones, with its share.
  config.tables[0].routes.push_back(route("10.9.0.0/16", Action::Drop));
  GroupStates states;
  const auto snapshot = compile(config, states);
  std::map<Action, int> actions;
  for (const Flow& each : asked) ++actions[testing::decide(*snapshot, each).action];
  CHECK(actions[Action::Drop] > 0.9 * 40'000 / 9);
  CHECK(actions[Action::Drop] < 1.1 * 40'000 / 9);
  CHECK(actions[Action::Drop] + actions[Action::Steer] == 40'000);
}

TEST_CASE("the two halves: the way is that of all equal routes, then one is chosen") {
  Config config;
  config.groups = groups();
  config.tables = {table("t", 0,
                         {route("10.9.0.0/16", "both"), route("10.9.0.0/16", "four"),
                          route("10.9.0.0/16", "six"), route("10.9.0.0/16", Action::Drop)})};
  GroupStates states;
  const auto snapshot = compile(config, states);
  const Situation situation = situation_at(*snapshot, Time());
  const std::vector<Flow> asked = flows(1000);
  const Decision way = find_way(*snapshot, situation, asked[0]);
  CHECK(way.route == 0);
  CHECK(way.server == 0);
  std::map<std::uint32_t, int> routes;
  for (const Flow& each : asked) {
    CHECK(find_way(*snapshot, situation, each) == way);
    const Decision decision = decide(*snapshot, situation, each, Turn::Peek);
    CHECK(go(*snapshot, situation, way, each, Turn::Peek) == decision);
    ++routes[*decision.route];
    CHECK((decision.action == Action::Steer) == decision.group.has_value());
    CHECK((decision.action == Action::Steer) == (decision.server != 0));
  }
  CHECK(routes.size() == 3);  // all but "six"
}
