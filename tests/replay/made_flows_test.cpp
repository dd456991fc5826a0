// Flows that are made up: every rule that some flow meets is met by one of them.
#include <doctest/doctest.h>

#include <set>

#include "../policy/random_config.hpp"
#include "nfsteer/replay.hpp"
#include "replay/draft.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

struct Made {
  GroupStates states;
  std::unique_ptr<const Snapshot> snapshot;
  Situation situation;
  std::vector<FlowEvent> flows;

  explicit Made(const Config& config)
      : snapshot(compile(config, states)), situation(situation_at(*snapshot, Time())) {
    MadeFlows source({snapshot.get()});
    bool is_open = false;
    while (auto event = source.next()) {
      CHECK(event->flow.has_value() != is_open);  // one at a time
      is_open = event->flow.has_value();
      if (is_open) flows.push_back(std::move(*event));
    }
  }
  Decision decide(const FlowEvent& event) {
    situation.activity = activity_at(*snapshot, event.at);
    return nfsteer::decide(*snapshot, situation, *event.flow, Turn::Peek);
  }
};

Config only(Match match) {
  Config config;
  config.schedules = {schedule("day", "08:00", "20:00")};
  config.countries = countries();
  config.sets = {{"a", {*parse_prefix("10.3.0.0/16"), *parse_prefix("2001:db8:3::/48")}}};
  config.policies = {policy("p", 0, std::move(match), Action::Drop)};
  return config;
}

// The rules that the decision met.
std::set<std::string> rules_met(const Snapshot& snapshot, const Decision& decision) {
  std::set<std::string> rules;
  if (decision.policy) rules.insert("policy " + snapshot.policies[*decision.policy].name);
  if (decision.route)
    rules.insert(format("route {} of table {}", *decision.route, *decision.table));
  else if (decision.table)
    rules.insert(format("default of table {}", *decision.table));
  else if (!decision.policy)
    rules.insert("no route");
  return rules;
}

}  // namespace

TEST_CASE("made flows: there are some for each kind of criterion, inside and outside") {
  const std::map<std::string, const char*> kValues = {
      {"saddr", "10.1.0.0/16"}, {"daddr", "@a"},     {"sport", "1000-2000"},
      {"dport", "443"},         {"proto", "udp"},    {"icmp_type", "echo-request"},
      {"mark", "0x10/0xf0"},    {"iif", "eth*"},     {"oif", "wg0"},
      {"uid", "1000-1999"},     {"gid", "7"},        {"scountry", "DE"},
      {"dcountry", "CH"},       {"schedule", "day"},
  };
  for (const Field& field : fields()) {
    CAPTURE(field.name);
    REQUIRE(kValues.contains(field.name));  // a new criterion has its row here and in draft.cpp
    for (const bool negated : {false, true}) {
      const std::string value = std::string(negated ? "!" : "") + kValues.at(field.name);
      Made made(only({criterion(field.name, {value.c_str()})}));
      std::size_t met = 0;
      for (const FlowEvent& event : made.flows) met += made.decide(event).policy ? 1u : 0u;
      CHECK(met > 0);
      CHECK(met < made.flows.size());
    }
  }
}

TEST_CASE("made flows: both sides of each bound") {
  const auto ports = [](const Made& made) {
    std::set<std::uint32_t> found;
    for (const FlowEvent& event : made.flows) found.insert(event.flow->tuple.destination_port);
    return found;
  };
  const auto destinations = [](const Made& made) {
    std::set<std::string> found;
    for (const FlowEvent& event : made.flows)
      found.insert(to_string(event.flow->tuple.destination));
    return found;
  };
  const Made range(only({criterion("dport", {"1000-2000"})}));
  for (const std::uint32_t port : {999u, 1'000u, 2'000u, 2'001u})
    CHECK(ports(range).contains(port));
  const Made edge(only({criterion("dport", {"0-65535"})}));
  for (const std::uint32_t port : {0u, 65'535u}) CHECK(ports(edge).contains(port));
  const Made negated(only({criterion("dport", {"!53"})}));
  for (const std::uint32_t port : {52u, 53u, 54u}) CHECK(ports(negated).contains(port));

  const Made prefixes(only({criterion("daddr", {"10.1.0.0/16", "2001:db8:1::/48"})}));
  for (const char* address : {"10.0.255.255", "10.1.0.0", "10.1.255.255", "10.2.0.0",
                              "2001:db8:0:ffff:ffff:ffff:ffff:ffff", "2001:db8:1::",
                              "2001:db8:1:ffff:ffff:ffff:ffff:ffff", "2001:db8:2::"})
    CHECK_MESSAGE(destinations(prefixes).contains(address), address);

  Config routes;
  routes.tables = {table("main", 0, {route("10.1.0.0/16", Action::Drop)})};
  const Made tables(routes);
  for (const char* address : {"10.0.255.255", "10.1.0.0", "10.1.255.255", "10.2.0.0"})
    CHECK_MESSAGE(destinations(tables).contains(address), address);

  std::set<Time> times;
  const Made scheduled(only({criterion("schedule", {"day"})}));
  for (const FlowEvent& event : scheduled.flows) times.insert(event.at);
  for (const char* time : {"2026-03-02T19:59:59Z", "2026-03-02T20:00:00Z", "2026-03-03T07:59:59Z",
                           "2026-03-03T08:00:00Z"})
    CHECK_MESSAGE(times.contains(*parse_moment(time, Time())), time);
}

TEST_CASE("made flows: rules that others hide in part") {
  Config config;
  config.groups.push_back({.name = "web", .servers = {server("a", "10.2.0.1")}});
  config.groups.push_back(
      {.name = "six", .servers = {server("b", "2001:db8::b"), server("c", "10.2.0.3")}});
  config.groups[1].servers[1].state = ServerState::Drain;
  const auto ports = [](const char* text) { return Match{criterion("dport", {text})}; };
  config.policies = {
      policy("low", 9, ports("80-81"), Action::Drop),
      policy("high", 8, ports("89-90"), Action::Drop),
      policy("between", 7, ports("80-90"), Action::Drop),
      policy("hidden", 6, ports("85"), Action::Drop),  // no flow meets it
      policy("ten", 5, {criterion("saddr", {"10.0.0.0/8"})}, Action::Drop),
      policy("web", 4, {criterion("proto", {"tcp"}), criterion("dport", {"443"})}, ToTable{"lab"}),
      policy("tcp", 3, {criterion("proto", {"tcp"})}, Action::Drop),
  };
  config.tables = {
      table("main", 1,
            {route("10.0.0.0/8", "web"), route("10.0.0.0/9", "web"), route("10.128.0.0/10", "web"),
             route("10.192.0.0/11", "web"), route("10.0.0.0/8", "web", 7),  // no flow meets it
             route("0.0.0.0/0", "six"), route("2001:db8::/32", "six")}),
      table("lab", 0,
            {route("10.9.0.0/16", "web"), route("10.9.9.0/24", "web"),
             route("10.9.9.0/24", Action::Accept)})};
  config.tables[1].default_group = "web";
  Rehearsal rehearsal(config);
  MadeFlows flows({&rehearsal.snapshot()});
  rehearse(flows, rehearsal, [](const auto&, const auto&) { return true; });
  const ReplayReport report = rehearsal.report();
  const std::set<std::string> not_met(report.not_met.begin(), report.not_met.end());
  CHECK(not_met == std::set<std::string>{"policy hidden",
                                         "route 10.0.0.0/8 of main (metric 7, to web)",
                                         "route 0.0.0.0/0 of main (metric 0, to six)"});
}

TEST_CASE("made flows: what any of very many flows meets they meet too") {
  constexpr int kWorlds = 20, kFlows = 5'000;
  std::size_t rules = 0, missed = 0;
  for (int seed = 0; seed < kWorlds; ++seed) {
    CAPTURE(seed);
    RandomWorld world(static_cast<std::uint64_t>(seed) + 100);
    Made made(world.config(40, 30, true));
    std::set<std::string> by_made, by_chance;
    for (const FlowEvent& event : made.flows)
      by_made.merge(rules_met(*made.snapshot, made.decide(event)));
    Situation situation = made.situation;
    for (int i = 0; i < kFlows; ++i) {
      if (i % 50 == 0) situation.activity = activity_at(*made.snapshot, world.time());
      const Flow flow = world.flow();
      if (flow.tuple.protocol == (flow.family() == Family::V4 ? 58 : 1)) continue;  // no such thing
      by_chance.merge(
          rules_met(*made.snapshot, nfsteer::decide(*made.snapshot, situation, flow, Turn::Peek)));
    }
    rules += by_chance.size();
    for (const std::string& rule : by_chance) missed += by_made.contains(rule) ? 0u : 1u;
  }
  MESSAGE(rules << " rules met by chance, " << missed << " of them by no flow made up");
  CHECK(missed * 200 <= rules);  // the search is by lot
}

TEST_CASE("made flows: are the same whenever they are made") {
  RandomWorld world(5);
  const Config config = world.config(30, 30, true);
  const Made one(config), two(config);
  REQUIRE(one.flows.size() == two.flows.size());
  for (std::size_t i = 0; i < one.flows.size(); ++i) {
    CHECK(one.flows[i].flow->tuple == two.flows[i].flow->tuple);
    CHECK(one.flows[i].at == two.flows[i].at);
  }
}

TEST_CASE("addresses before and behind") {
  const struct {
    const char* address;
    const char* before;  // "": none
    const char* behind;
  } kCases[] = {
      {"0.0.0.0", "", "0.0.0.1"},
      {"10.0.0.0", "9.255.255.255", "10.0.0.1"},
      {"255.255.255.255", "255.255.255.254", ""},
      {"::", "", "::1"},
      {"2001:db8::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::1"},
      {"2001:db8::ffff:ffff:ffff:ffff", "2001:db8::ffff:ffff:ffff:fffe", "2001:db8:0:1::"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", ""},
  };
  const auto text = [](const std::optional<Address>& address) {
    return address ? to_string(*address) : "";
  };
  for (const auto& row : kCases) {
    CAPTURE(row.address);
    const Address address = *parse_address(row.address);
    CHECK(text(before(address)) == row.before);
    CHECK(text(behind(address)) == row.behind);
  }
}
