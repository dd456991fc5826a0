// A program that decides flows by itself, with the installed library alone.
#include <cstdio>
#include <cstdlib>
#include <nfsteer/explain.hpp>
#include <nfsteer/health.hpp>
#include <nfsteer/steering.hpp>

using namespace nfsteer;

namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(EXIT_FAILURE);
}

Criterion criterion(const char* field, const char* value) {
  Criterion made{find_field(field), {}, {}};
  require(made.add(value).has_value(), value);
  return made;
}

GroupConfig web() {
  GroupConfig group;
  group.name = "web";
  group.algorithm = "weighted";
  group.servers.push_back({"web1", *parse_address("10.2.0.1"), 8080, 2});
  group.servers.push_back({"web2", *parse_address("10.2.0.2"), 8080, 1});
  return group;
}

Config configuration() {
  Config config;
  config.groups.push_back(web());
  TableConfig table;
  table.name = "main";
  table.routes.push_back({*parse_prefix("10.9.9.0/24"), ToGroup{"web"}});
  config.tables.push_back(table);
  PolicyConfig policy;
  policy.name = "no-telnet";
  policy.match.push_back({criterion("dport", "23")});
  policy.target = Action::Reject;
  config.policies.push_back(policy);
  return config;
}

Flow flow(std::uint16_t source_port, std::uint16_t destination_port) {
  Flow made;
  made.tuple = {*parse_address("192.0.2.7"), *parse_address("10.9.9.9"), source_port,
                destination_port, protocol::kTcp};
  made.has_ports = true;
  made.bytes = 60;
  return made;
}

}  // namespace

int main() {
  Steering steering(1);
  Config config = configuration();
  require(steering.apply(config).empty(), "the configuration is good");
  Decider& decider = steering.decider(0);
  const auto decide = [&](std::uint16_t source_port, std::uint16_t destination_port) {
    const World& world = decider.enter();
    const Decision decision = decider.decide(flow(source_port, destination_port), 1);
    decider.leave();
    const Server* server = world.snapshot->servers[decision.server];
    return server ? server->name : std::string(name(decision.action));
  };

  require(decide(1, 80) == "web1" && decide(2, 80) == "web2" && decide(3, 80) == "web1", "weights");
  require(decide(2, 80) == "web2", "a flow keeps its server");
  require(decide(4, 23) == "reject", "the policy");

  Statistics seen = steering.statistics(1);
  require(seen.groups[0].selected == 3 && seen.policies[0].packets == 1, "counts");
  require(seen.tables[0].used[0].bytes == 4 * 60, "counts of the route");
  require(seen.cache.entries == 4 && seen.cache.hits == 1, "counts of the cache");
  steering.flush_cache();
  steering.reset_statistics();

  const Explanation why =
      explain(steering.snapshot(), steering.world().situation, flow(5, 80), Time());
  require(why.server == "web/web1", "the explanation");

  // What three failures in a row make of a server, and a prober with nothing to do.
  CheckConfig check;
  check.name = "web";
  const CheckTarget target = *target_of(check, *parse_address("10.2.0.1"), 8080);
  CheckBoard board(1);
  board.set_targets({check}, {{target}}, {});
  for (const ProbeOutcome outcome :
       {ProbeOutcome::Passed, ProbeOutcome::Failed, ProbeOutcome::Failed, ProbeOutcome::Failed}) {
    require(board.statuses().front().is_up(), "it is up so far");
    const auto now = board.next_due();
    board.finish(board.begin_due(now).front(), {outcome, "as it is"}, now);
  }
  require(!board.statuses().front().is_up(), "it is down");
  Prober prober([](const HealthEvent&) {});
  require(prober.start().has_value() && prober.statuses().empty(), "the prober");

  // Other servers, another algorithm, one policy less; a mistake changes nothing.
  find_named(config.groups, "web")->algorithm = "round-robin";
  erase_named(find_named(config.groups, "web")->servers, "web2");
  find_named(config.tables, "main")
      ->routes.push_back({.prefix = *parse_prefix("0.0.0.0/0"), .target = Action::Drop});
  erase_named(config.policies, "no-telnet");
  require(steering.apply(config).empty(), "the second configuration is good");
  require(decide(5, 80) == "web1" && decide(6, 80) == "web1" && decide(7, 23) == "web1", "changes");
  erase_named(config.groups, "web");
  require(!steering.apply(config).empty() && decide(8, 80) == "web1", "a mistake is refused");
  require(steering.statistics(1).groups[0].selected == 4, "counts go on");
  erase_named(config.tables, "main");
  require(steering.apply(config).empty() && decide(9, 80) == "accept", "nothing is left");
  std::puts("ok");
}
