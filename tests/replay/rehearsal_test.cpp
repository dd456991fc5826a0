#include <doctest/doctest.h>

#include "../policy/build.hpp"
#include "nfsteer/replay.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;
using namespace std::chrono_literals;

namespace {

// All flows go to the group.
Config config_of(const std::string& algorithm, std::vector<ServerConfig> servers) {
  Config config;
  config.groups.push_back({.name = "web", .algorithm = algorithm, .servers = std::move(servers)});
  config.policies.push_back(policy("all", 0, {}, ToGroup{"web"}));
  return config;
}

FlowEvent begins(std::uint32_t number, std::uint16_t port, std::chrono::seconds after = 0s) {
  FlowEvent event;
  event.number = number;
  event.flow = testing::flow("udp", "192.0.2.7", port, "10.9.9.9", 53);
  event.after = after;
  event.at = Time(1'772'452'800s) + after;  // a Monday, 12:00 UTC
  return event;
}

std::string server_of(const Rehearsal& rehearsal, const Decision& decision) {
  return named(rehearsal.snapshot(), decision).server.value_or(name(decision.action));
}

std::uint32_t load_of(const Rehearsal& rehearsal, std::size_t server) {
  return (*rehearsal.snapshot().gauges)[rehearsal.snapshot().groups[0].v4.servers[server].id]
      .load();
}

}  // namespace

TEST_CASE("rehearsal: a flow counts as its server's until it is over, and once") {
  Rehearsal rehearsal(
      config_of("least-connections", {server("a", "10.2.0.1"), server("b", "10.2.0.2")}));
  CHECK(server_of(rehearsal, rehearsal.decide(begins(0, 1))) == "web/a");
  CHECK(server_of(rehearsal, rehearsal.decide(begins(1, 2))) == "web/b");
  rehearsal.end(1);
  rehearsal.end(1);
  rehearsal.end(77);  // of nobody
  CHECK(load_of(rehearsal, 0) == 1);
  CHECK(load_of(rehearsal, 1) == 0);
  CHECK(server_of(rehearsal, rehearsal.decide(begins(1, 3))) == "web/b");
  CHECK(load_of(rehearsal, 1) == 1);
}

TEST_CASE("rehearsal: a flow that is remembered counts again") {
  Rehearsal rehearsal(config_of("round-robin", {server("a", "10.2.0.1"), server("b", "10.2.0.2")}));
  for (int i = 0; i < 3; ++i) {
    CHECK(server_of(rehearsal, rehearsal.decide(begins(0, 1, i * 60s))) == "web/a");
    CHECK(load_of(rehearsal, 0) == 1);
    rehearsal.end(0);
    CHECK(load_of(rehearsal, 0) == 0);
  }
  const ReplayReport report = rehearsal.report();
  CHECK(report.flows == 3);
  CHECK(report.policies[0].flows == 3);
  CHECK(report.groups[0].servers[0].flows == 3);
}

TEST_CASE("rehearsal: schedules go by the flows' time, which may go back") {
  Config config;
  config.schedules = {schedule("day", "08:00", "20:00")};
  PolicyConfig day = policy("day", 0, {criterion("schedule", {"day"})}, Action::Drop);
  config.policies.push_back(day);
  Rehearsal rehearsal(config);
  const struct {
    std::chrono::hours after;
    Action want;
  } kCases[] = {{0h, Action::Drop},   {7h, Action::Drop}, {8h, Action::Accept}, {20h, Action::Drop},
                {9h, Action::Accept}, {1h, Action::Drop}, {-5h, Action::Accept}};
  for (const auto& row : kCases) {
    FlowEvent event = begins(0, 1);
    event.at += row.after;
    CHECK(rehearsal.decide(event).action == row.want);
  }
}

TEST_CASE("rehearsal: which servers follow from the flow alone") {
  auto drained = server("c", "10.2.0.3");
  drained.state = ServerState::Drain;
  for (const Algorithm& algorithm : algorithms()) {
    CAPTURE(algorithm.name);
    const Rehearsal two(
        config_of(algorithm.name, {server("a", "10.2.0.1"), server("b", "10.2.0.2")}));
    CHECK(two.is_fixed(0, Family::V4) == (algorithm.hashes != Algorithm::Hashes::Nothing));
    CHECK(two.is_fixed(0, Family::V6));
    const Rehearsal one(config_of(algorithm.name, {server("a", "10.2.0.1"), drained}));
    CHECK(one.is_fixed(0, Family::V4));
  }
}

TEST_CASE("rehearsal: the report") {
  Config config;
  auto drained = server("b", "10.2.0.2", 80);
  drained.state = ServerState::Drain;
  config.groups.push_back(
      {.name = "web", .servers = {server("a", "10.2.0.1"), drained, server("c", "2001:db8::c")}});
  config.groups.push_back({.name = "weak", .servers = {server("d", "10.2.0.4"), drained, drained}});
  config.groups[1].servers[1].address = *parse_address("10.2.0.5");
  config.groups[1].servers[2].name = "e";
  config.tables = {
      table("main", 1, {route("10.9.9.0/24", "web"), route("10.9.8.0/24", Action::Drop, 5)}),
      table("last", 0, {})};
  config.tables[1].default_group = "weak";
  PolicyConfig dns = policy("dns", 1, {criterion("dport", {"53"})}, Action::Reject);
  dns.dry_run = true;
  config.policies = {dns, policy("telnet", 0, {criterion("dport", {"23"})}, Action::Reject)};
  Rehearsal rehearsal(config);
  const auto decide = [&](const char* destination, std::uint16_t port) {
    FlowEvent event = begins(0, 1);
    event.flow = testing::flow("tcp", "192.0.2.7", 1, destination, port);
    return rehearsal.decide(event);
  };
  decide("10.9.9.9", 80);
  decide("10.9.9.9", 53);
  decide("10.9.9.9", 23);
  decide("10.0.0.1", 80);

  const ReplayReport report = rehearsal.report();
  CHECK(report.flows == 4);
  CHECK(report.actions == std::map<std::string, std::uint64_t>{
                              {"steer", 3}, {"accept", 0}, {"drop", 0}, {"reject", 1}});
  REQUIRE(report.policies.size() == 2);
  CHECK(report.policies[0].flows == 1);
  CHECK(report.policies[0].dry_run);
  CHECK(report.policies[1].flows == 1);
  REQUIRE(report.tables.size() == 2);
  CHECK(report.tables[0].flows == 2);
  REQUIRE(report.tables[0].routes.size() == 1);
  CHECK(report.tables[0].routes[0].target == "web");
  CHECK(report.tables[1].default_flows == 1);
  CHECK(report.no_route == 0);
  REQUIRE(report.groups.size() == 2);
  CHECK(report.groups[0].flows == 2);
  CHECK(report.groups[0].able == 2);
  CHECK_FALSE(report.groups[0].is_weak());
  CHECK(report.groups[1].is_weak());
  CHECK(report.rules == 5);
  CHECK(report.not_met ==
        std::vector<std::string>{"route 10.9.8.0/24 of main (metric 5, to drop)"});
}

TEST_CASE("rehearsal: of very many rules that no flow met some are named") {
  Config config;
  for (std::size_t i = 0; i < kRulesListedMax + 5; ++i)
    config.policies.push_back(
        policy("p" + std::to_string(i), 0, {criterion("dport", {"1"})}, Action::Drop));
  const ReplayReport report = Rehearsal(config).report();
  CHECK(report.rules == kRulesListedMax + 5);
  CHECK(report.not_met.size() == kRulesListedMax);
  CHECK(report.not_met.front() == "policy p0");
  CHECK(report.not_met_unlisted == 5);
}
