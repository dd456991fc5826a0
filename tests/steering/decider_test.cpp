// One thread's decisions: what it remembers, and what makes it forget.
#include <doctest/doctest.h>

#include <map>

#include "../allocations.hpp"
#include "../policy/random_config.hpp"
#include "nfsteer/steering.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

Config two_servers() {
  Config config;
  config.groups = {
      {"web", "round-robin", false, {server("a", "10.2.0.1"), server("b", "10.2.0.2")}}};
  config.tables = {table("main", 5, {route("0.0.0.0/0", "web")})};
  return config;
}

Decision decide_once(Steering& steering, const Flow& flow, std::uint32_t now_s = 0) {
  Decider& decider = steering.decider(0);
  decider.enter();
  const Decision made = decider.decide(flow, now_s);
  decider.leave();
  return made;
}

const Flow kFlow = flow("udp", "192.0.2.7", 7, "10.9.9.9", 80);

Time moment(const char* text) {
  return parse_moment(text, Time()).value();
}

}  // namespace

TEST_CASE("memo: what the rules read beside the five-tuple tells flows apart") {
  struct Row {
    const char* field;
    const char* value;
    void (*put)(Flow& flow);
  };
  const Row rows[] = {
      {"mark", "7", [](Flow& each) { each.mark = 7; }},
      {"iif", "wan0", [](Flow& each) { each.in_interface = interface_key("wan0"); }},
      {"oif", "wan*", [](Flow& each) { each.out_interface = interface_key("wan0"); }},
      {"uid", "1000", [](Flow& each) { each.uid = 1000; }},
      {"gid", "1000", [](Flow& each) { each.gid = 1000; }},
      {"icmp_type", "13", [](Flow& each) { each.icmp_type = 13; }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.field);
    Config config = two_servers();
    config.policies = {policy("drop", 1, {criterion(row.field, {row.value})}, Action::Drop)};
    Steering steering(1);
    REQUIRE(steering.apply(config).empty());
    Flow allowed = flow("icmp", "192.0.2.7", 0, "10.9.9.9", 0);
    allowed.has_ports = false;
    allowed.icmp_type = 15;
    Flow dropped = allowed;
    row.put(dropped);
    for (int i = 0; i < 2; ++i) {
      CHECK(decide_once(steering, allowed).action == Action::Steer);
      CHECK(decide_once(steering, dropped).action == Action::Drop);
    }
    CHECK(steering.statistics(0).cache.hits == 2);
    CHECK(decide_once(steering, allowed).group == OptionalIndex(0));
  }
}

TEST_CASE("memo: interfaces are forgotten where rules ask for them") {
  Config config = two_servers();
  config.policies = {policy("lan", 1, {criterion("iif", {"lan0"})}, Action::Accept)};
  Steering steering(1);
  REQUIRE(steering.apply(config).empty());
  decide_once(steering, kFlow);
  const std::pair<std::uint32_t, std::string> eth0{2, "eth0"};
  steering.set_interfaces(InterfaceNames({&eth0, 1}));
  CHECK(steering.statistics(0).cache.entries == 0);
  decide_once(steering, kFlow);
  steering.set_interfaces(InterfaceNames({&eth0, 1}));  // as before
  CHECK(steering.statistics(0).cache.entries == 1);
}

TEST_CASE("memo: a flow keeps its server until the time-out, a flush or another world") {
  Config config = two_servers();
  config.cache.timeout_s = 60;
  Steering steering(1);
  REQUIRE(steering.apply(config).empty());
  const ServerId first = decide_once(steering, kFlow, 100).server;
  const auto moved = [&](std::uint32_t now_s) {
    const ServerId now = decide_once(steering, kFlow, now_s).server;
    // Back to the first, so that each step begins alike.
    if (now != first) steering.flush_cache();
    if (now != first) CHECK(decide_once(steering, kFlow, now_s).server == first);
    return now != first;
  };
  CHECK_FALSE(moved(100));
  CHECK_FALSE(moved(159));
  CHECK(moved(160));
  CHECK_FALSE(moved(160));
  steering.flush_cache();
  CHECK(moved(160));
  const std::pair<std::uint32_t, std::string> eth0{2, "eth0"};
  steering.set_interfaces(InterfaceNames({&eth0, 1}));
  CHECK_FALSE(moved(160));  // nothing asks for interfaces
  REQUIRE(steering.apply(config).empty());
  CHECK(moved(160));
  steering.set_time(moment("2026-11-27T12:00:00Z"));  // no schedule: no other world
  CHECK_FALSE(moved(160));
}

TEST_CASE("memo: off, or smaller than the flows") {
  Config config = two_servers();
  config.cache.entries = 0;
  Steering steering(1);
  REQUIRE(steering.apply(config).empty());
  CHECK(decide_once(steering, kFlow).server != decide_once(steering, kFlow).server);
  CHECK(steering.statistics(0).cache.misses == 0);

  config.cache.entries = 8;
  REQUIRE(steering.apply(config).empty());
  for (unsigned port = 0; port < 100; ++port)
    decide_once(steering, flow("tcp", "192.0.2.7", port, "10.9.9.9", 80));
  const CacheCounts counts = steering.statistics(0).cache;
  CHECK(counts.entries == 8);
  CHECK(counts.evictions == 92);
  CHECK(counts.misses == 100);
}

TEST_CASE("route cache: on where it is asked for, or where there are many rules") {
  const auto used = [](const Config& config) {
    Steering steering(1);
    REQUIRE(steering.apply(config).empty());
    for (unsigned port = 0; port < 10; ++port)
      decide_once(steering, flow("tcp", "192.0.2.7", port, "10.9.9.9", 80));
    return steering.statistics(0).route_cache;
  };
  Config config = two_servers();
  CHECK(used(config).misses == 0);
  config.cache.route_entries = 64;
  CHECK(used(config).misses == 1);  // nothing reads the source port: one way for all
  CHECK(used(config).hits == 9);
  CHECK(used(config).entries == 1);

  config.cache.route_entries.reset();
  for (int i = 0; i < 10'001; ++i)
    config.policies.push_back(
        policy(format("p{}", i), 0, {criterion("dport", {"1"})}, Action::Drop));
  CHECK(used(config).hits == 9);
  config.cache.route_entries = 0;
  CHECK(used(config).hits == 0);
}

TEST_CASE("route cache: a way is forgotten with its time, by a flush and with the world") {
  Config config = two_servers();
  config.cache = {.entries = 0, .route_entries = 64, .timeout_s = 60};
  Steering steering(1);
  REQUIRE(steering.apply(config).empty());
  const auto hit = [&](std::uint32_t now_s) {
    const std::uint64_t before = steering.statistics(0).route_cache.hits;
    decide_once(steering, kFlow, now_s);
    return steering.statistics(0).route_cache.hits > before;
  };
  CHECK_FALSE(hit(100));
  CHECK(hit(159));
  CHECK_FALSE(hit(160));
  CHECK(hit(160));
  steering.flush_cache();
  CHECK_FALSE(hit(160));
  steering.set_interfaces({});  // as they were
  CHECK(hit(160));
  REQUIRE(steering.apply(config).empty());
  CHECK_FALSE(hit(160));
  CHECK(hit(160));
}

TEST_CASE("route cache: decides as without, over random configurations, times and flows") {
  std::uint64_t compared = 0, different = 0;
  CacheCounts seen;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    RandomWorld world(seed);
    Config config = world.config(12, 30, true);
    config.cache = {.entries = 0, .route_entries = 0, .timeout_s = 20};
    Steering without(1), with(1);
    REQUIRE(without.apply(config).empty());
    config.cache.route_entries = seed % 2 ? 64 : 4096;
    REQUIRE(with.apply(config).empty());
    std::vector<Flow> flows;  // they come again
    for (int i = 0; i < 300; ++i) flows.push_back(world.flow());
    for (std::uint32_t i = 0; i < 3000; ++i) {
      if (i % 500 == 0) {
        const Time time = world.time();
        without.set_time(time);
        with.set_time(time);
      }
      if (i % 700 == 0) with.flush_cache();
      Flow flow = flows[world.below(300)];
      flow.tuple.source_port = flow.has_ports ? static_cast<std::uint16_t>(world.below(12)) : 0;
      ++compared;
      if (decide_once(without, flow, i / 50) == decide_once(with, flow, i / 50)) continue;
      if (++different == 1) MESSAGE("first difference: seed ", seed, ", flow ", i);
    }
    const CacheCounts counts = with.statistics(0).route_cache;
    seen.hits += counts.hits;
    seen.misses += counts.misses;
    seen.evictions += counts.evictions;
    CHECK(counts.hits + counts.misses == 3000);
  }
  MESSAGE(compared, " decisions compared, ", different, " different, ", seen.hits, " hits, ",
          seen.evictions, " evictions");
  CHECK(different == 0);
  CHECK(seen.hits > compared / 10);
  CHECK(seen.evictions > 0);
}

TEST_CASE("flow keys: equal ones have equal ways, over random configurations and flows") {
  std::uint64_t shared = 0, different = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    RandomWorld world(seed);
    const Config config = world.config(seed % 2 ? 2 : 8, 10, false);
    GroupStates states;
    const auto snapshot = compile(config, states);
    const Situation situation = situation_at(*snapshot, world.time());
    std::map<std::array<std::uint64_t, 12>, Decision> ways;
    for (int i = 0; i < 2000; ++i) {
      const Flow flow = world.flow();
      const Subject subject = subject_of(*snapshot, situation.activity, flow);
      const FlowKey key(flow, snapshot->reads, subject.source_country, subject.destination_country);
      const Decision way = find_way(*snapshot, situation, flow);
      const auto [at, is_new] = ways.emplace(key.words, way);
      shared += is_new ? 0 : 1;
      if (at->second == way) continue;
      if (++different == 1) MESSAGE("first difference: seed ", seed, ", flow ", i);
    }
  }
  MESSAGE(shared, " flows had the key of another, ", different, " another way");
  CHECK(different == 0);
  CHECK(shared > 20'000);
}

TEST_CASE("set_time: over the edge of a schedule other flows match; when to call again") {
  Config config = two_servers();
  config.cache.route_entries = 64;
  config.schedules = {schedule("day", "08:00", "20:00"), schedule("lunch", "12:00", "13:00")};
  config.policies = {policy("lunch", 2, {criterion("schedule", {"lunch"})}, Action::Drop),
                     policy("night", 1, {criterion("schedule", {"!day"})}, Action::Reject)};
  Steering steering(1);
  REQUIRE(steering.apply(config).empty());
  const struct {
    const char* time;
    Action want;
    const char* next;
    const char* active;  // "day" and "lunch"
  } kCases[] = {
      {"2026-11-27T07:59:59Z", Action::Reject, "2026-11-27T08:00:00Z", "--"},
      {"2026-11-27T08:00:00Z", Action::Steer, "2026-11-27T12:00:00Z", "d-"},
      {"2026-11-27T11:00:00Z", Action::Steer, "2026-11-27T12:00:00Z", "d-"},
      {"2026-11-27T12:00:00Z", Action::Drop, "2026-11-27T13:00:00Z", "dl"},
      {"2026-11-27T13:00:00Z", Action::Steer, "2026-11-27T20:00:00Z", "d-"},
      {"2026-11-27T20:00:00Z", Action::Reject, "2026-11-28T08:00:00Z", "--"},
      {"2026-11-20T12:30:00Z", Action::Drop, "2026-11-20T13:00:00Z", "dl"},  // the clock was set
  };
  for (const auto& row : kCases) {
    CAPTURE(row.time);
    CHECK(to_utc_string(steering.set_time(moment(row.time))) == row.next);
    CHECK(decide_once(steering, kFlow).action == row.want);
    const Statistics counted = steering.statistics(0);
    REQUIRE(counted.schedules.size() == 2);
    CHECK(counted.schedules[0].name == "day");
    CHECK(counted.schedules[0].active == (row.active[0] == 'd'));
    CHECK(counted.schedules[1].active == (row.active[1] == 'l'));
    CHECK(std::min(counted.schedules[0].next_change.value(),
                   counted.schedules[1].next_change.value()) == moment(row.next));
    // A new configuration begins at the time that was set last.
    REQUIRE(steering.apply(config).empty());
    CHECK(decide_once(steering, kFlow).action == row.want);
  }
  // Nothing changes, nothing is published.
  const World* before = &steering.world();
  steering.set_time(moment("2026-11-20T12:31:00Z"));
  CHECK(&steering.world() == before);
  config.schedules[1].windows = {{}};
  REQUIRE(steering.apply(config).empty());
  CHECK_FALSE(steering.statistics(0).schedules[1].next_change);
}

TEST_CASE("interfaces: names by index, none where there is none") {
  const std::pair<std::uint32_t, std::string> kInterfaces[] = {{9, "wg0"}, {1, "lo"}, {4, "eth0"}};
  Steering steering(1);
  CHECK(steering.world().interfaces.find(4) == kNoInterface);
  steering.set_interfaces(InterfaceNames(kInterfaces));
  for (const auto& [index, name] : kInterfaces)
    CHECK(interface_name(steering.world().interfaces.find(index)) == name);
  for (const std::uint32_t index : {0u, 2u, 5u, 10u, 0xffff'ffffu})
    CHECK(steering.world().interfaces.find(index) == kNoInterface);
  REQUIRE(steering.apply(two_servers()).empty());
  CHECK(interface_name(steering.world().interfaces.find(9)) == "wg0");
  steering.flush_cache();
  CHECK(interface_name(steering.world().interfaces.find(9)) == "wg0");
}

TEST_CASE("decide: does not allocate, whatever is remembered") {
  Config config = two_servers();
  config.cache = {.entries = 64, .route_entries = 64, .timeout_s = 3};
  config.policies = {policy("trial", 1, {criterion("dport", {"80"})}, Action::Drop)};
  config.policies[0].dry_run = true;
  Steering steering(1);
  REQUIRE(steering.apply(config).empty());
  std::vector<Flow> flows;
  for (unsigned port = 0; port < 500; ++port)
    flows.push_back(flow("tcp", "192.0.2.7", port % 300, "10.9.9.9", port % 90));
  const std::uint64_t before = allocations();
  for (std::uint32_t now_s = 0; now_s < 10; ++now_s)
    for (const Flow& each : flows)
      for (int packet = 0; packet < 2; ++packet) decide_once(steering, each, now_s);
  CHECK(allocations() == before);
  CHECK(steering.statistics(0).cache.hits > 0);
}
