// The control thread's side: what is in force, and what was counted.
#include "nfsteer/steering.hpp"

#include <doctest/doctest.h>

#include <map>

#include "../policy/build.hpp"
#include "nfsteer/base/text.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

Config example() {
  Config config;
  config.groups = {
      {"web", "round-robin", false, {server("a", "10.2.0.1"), server("b", "10.2.0.2")}},
      {"dns", "round-robin", false, {server("c", "10.2.0.3"), server("six", "2001:db8:2::1")}},
      {"six", "round-robin", false, {server("d", "2001:db8:2::2")}}};
  config.tables = {table("main", 5,
                         {route("10.9.9.0/24", "web"), route("10.9.0.0/16", "dns"),
                          route("10.0.0.0/8", Action::Drop)})};
  config.policies = {policy("ssh", 9, {criterion("dport", {"22"})}, Action::Reject),
                     policy("six", 8, {criterion("dport", {"6"})}, ToGroup{"six"})};
  return config;
}

// Decides packets of 100 bytes by one decider.
struct Fixture {
  explicit Fixture(const Config& config = example()) { apply(config); }

  void apply(const Config& config) {
    const auto problems = steering.apply(config);
    REQUIRE_MESSAGE(problems.empty(), problems[0].message);
  }
  Decision decide(Flow flow, std::uint32_t now_s = 0) {
    flow.bytes = 100;
    Decider& decider = steering.decider(0);
    decider.enter();
    const Decision made = decider.decide(flow, now_s);
    decider.leave();
    return made;
  }
  // A flow of its own each time.
  Decision decide(const char* destination, unsigned dport, std::uint32_t now_s = 0) {
    return decide(flow("tcp", "10.0.0.7", next_port++, destination, dport), now_s);
  }
  Statistics counted(std::uint32_t now_s = 0) { return steering.statistics(now_s); }
  std::uint64_t packets(const std::string& policy) {
    for (const PolicyStatistics& each : counted().policies)
      if (each.name == policy) return each.packets;
    return 999'999;
  }

  Steering steering{1};
  unsigned next_port = 1;
};

// "main 10.9.9.0/24>web:3 10.0.0.0/8>drop:1", the used routes for reading.
std::string used(const Statistics& counted) {
  std::string text;
  for (const TableStatistics& table : counted.tables) {
    text += table.name;
    for (const RouteStatistics& each : table.used)
      text += format(" {}>{}:{}", each.prefix, each.target, each.packets);
  }
  return text;
}

// "web 3/0 a2 b1", the groups with requests, failures and their servers.
std::string groups_text(const Statistics& counted) {
  std::string text;
  for (const GroupStatistics& group : counted.groups) {
    text +=
        format("{}{} {}/{}", text.empty() ? "" : "; ", group.name, group.requests, group.failed);
    for (const ServerStatistics& server : group.servers)
      text += format(" {}{}", server.name, server.selected);
  }
  return text;
}

}  // namespace

TEST_CASE("steering: before a configuration every flow is accepted") {
  Steering steering(2);
  for (const std::size_t number : {0u, 1u}) {
    Decider& decider = steering.decider(number);
    decider.enter();
    CHECK(decider.decide(flow("tcp", "10.0.0.7", 1, "10.9.9.9", 80), 0) == Decision{});
    decider.leave();
  }
  CHECK(steering.statistics(0).policies.empty());
  CHECK(steering.set_time(Time()) == Time::max());
}

TEST_CASE("apply: a configuration with problems leaves all as it was") {
  Fixture fixture;
  CHECK(fixture.decide("10.9.9.9", 22).action == Action::Reject);
  const Snapshot* before = &fixture.steering.snapshot();
  Config bad = example();
  bad.policies[0].target = ToGroup{"wbe"};
  bad.groups[0].algorithm = "unknown";
  CHECK(fixture.steering.apply(bad).size() == 2);
  CHECK(&fixture.steering.snapshot() == before);
  CHECK(fixture.decide("10.9.9.9", 22).action == Action::Reject);
  CHECK(fixture.packets("ssh") == 2);
}

TEST_CASE("statistics: policies, groups, servers and routes, each packet and each choice") {
  Fixture fixture;
  const Flow again = flow("udp", "10.0.0.7", 7, "10.9.9.9", 80);
  for (int i = 0; i < 3; ++i) fixture.decide(again);  // one choice
  fixture.decide("10.9.9.9", 80);
  fixture.decide("10.9.1.1", 80);
  fixture.decide("10.1.1.1", 80);
  fixture.decide("11.1.1.1", 80);
  fixture.decide("10.9.9.9", 22);
  fixture.decide("10.9.9.9", 6);  // "six" has no server of IPv4: the table decides
  const Statistics counted = fixture.counted();
  CHECK(used(counted) == "main 10.9.9.0/24>web:5 10.0.0.0/8>drop:1 10.9.0.0/16>dns:1");
  CHECK(groups_text(counted) == "web 3/0 a2 b1; dns 1/0 c1 six0; six 1/1 d0");
  CHECK(counted.groups[0].selected == 3);
  CHECK(counted.tables[0].routes == 3);
  CHECK(counted.tables[0].used[0].bytes == 500);
  REQUIRE(counted.policies.size() == 2);
  CHECK(counted.policies[0].name == "ssh");
  CHECK(counted.policies[0].priority == 9);
  CHECK(counted.policies[0].packets == 1);
  CHECK(counted.policies[0].bytes == 100);
  CHECK(counted.policies[1].packets == 0);
  CHECK(counted.cache.hits == 2);
  CHECK(counted.cache.misses == 7);
  CHECK(counted.cache.entries == 7);
  // A flush is seen at once, although no decider has come by since.
  fixture.steering.flush_cache();
  CHECK(fixture.counted().cache.entries == 0);
  CHECK(fixture.counted().cache.hits == 2);
}

TEST_CASE("statistics: what has the same name goes on over apply(), whatever its place") {
  Fixture fixture;
  for (int i = 0; i < 4; ++i) fixture.decide("10.9.9.9", 80);
  for (int i = 0; i < 3; ++i) fixture.decide("10.9.1.1", 80);
  for (int i = 0; i < 2; ++i) fixture.decide("10.1.1.1", 80);
  fixture.decide("10.9.9.9", 22);

  Config next = example();
  std::swap(next.groups[0], next.groups[2]);
  next.groups.insert(next.groups.begin(), {"new", "weighted", true, {server("n", "10.2.0.9")}});
  find_named(next.groups, "web")
      ->servers.erase(
          find_named(next.groups, "web")->servers.begin());  // "a", which was chosen twice
  next.tables.insert(next.tables.begin(), table("other", 9, {route("12.0.0.0/8", "new")}));
  auto& routes = next.tables[1].routes;
  routes.insert(routes.begin(), route("10.9.9.0/24", "new", 7));
  routes[2] = route("10.9.0.0/16", "new");  // another target: another route
  std::swap(routes[1], routes[3]);
  next.policies.insert(next.policies.begin(),
                       policy("new", 99, {criterion("dport", {"99"})}, Action::Drop));
  std::swap(next.policies[1], next.policies[2]);
  fixture.apply(next);
  for (int round = 0; round < 2; ++round) {  // by the desks, then by what was carried
    const Statistics counted = fixture.counted();
    CHECK(used(counted) == "othermain 10.9.9.0/24>web:4 10.0.0.0/8>drop:2");
    CHECK(groups_text(counted) == "new 0/0 n0; six 0/0 d0; dns 3/0 c3 six0; web 4/0 b2");
    CHECK(fixture.packets("ssh") == 1);
    CHECK(fixture.packets("new") == 0);
  }
  fixture.decide("10.9.9.9", 22);
  fixture.decide("10.9.9.9", 80);
  CHECK(fixture.packets("ssh") == 2);
  CHECK(groups_text(fixture.counted()) == "new 0/0 n0; six 0/0 d0; dns 3/0 c3 six0; web 5/0 b3");

  // What was away begins anew, also what no one asked about meanwhile.
  Config without = next;
  erase_named(without.policies, "ssh");
  fixture.apply(without);
  fixture.apply(next);
  CHECK(fixture.packets("ssh") == 0);
  CHECK(fixture.counted().cache.misses == 12);
}

TEST_CASE("statistics: a group that has the name of an action is not the action") {
  Config config = example();
  config.groups.push_back({"drop", "round-robin", false, {server("x", "10.2.0.8")}});
  config.tables[0].routes = {route("10.9.9.9/32", "drop"), route("10.9.9.9/32", Action::Drop)};
  Fixture fixture(config);
  for (int i = 0; i < 100; ++i) fixture.decide("10.9.9.9", 80);
  const auto packets = [](const Statistics& counted) {
    std::vector<std::uint64_t> made;
    for (const RouteStatistics& each : counted.tables[0].used) made.push_back(each.packets);
    return made;
  };
  const auto before = packets(fixture.counted());
  REQUIRE(before.size() == 2);
  REQUIRE(before[0] != before[1]);
  fixture.apply(config);
  CHECK(packets(fixture.counted()) == before);
}

TEST_CASE("reset: everything from zero, but for what is held and when it last matched") {
  Fixture fixture;
  fixture.decide("10.9.9.9", 22);
  fixture.decide("10.9.9.9", 80);
  fixture.decide("10.9.9.9", 6);
  fixture.steering.reset_statistics();
  Statistics counted = fixture.counted();
  CHECK(groups_text(counted) == "web 0/0 a0 b0; dns 0/0 c0 six0; six 0/0 d0");
  CHECK(used(counted) == "main");
  CHECK(counted.policies[0].packets == 0);
  CHECK(counted.policies[0].bytes == 0);
  CHECK(counted.policies[0].last_match);
  CHECK(counted.cache.misses == 0);
  CHECK(counted.cache.entries == 3);

  fixture.decide("10.9.9.9", 22);
  fixture.apply(example());
  fixture.decide("10.9.9.9", 22);
  CHECK(fixture.packets("ssh") == 2);
  fixture.steering.reset_statistics();
  fixture.apply(example());
  CHECK(fixture.packets("ssh") == 0);
  fixture.decide("10.9.9.9", 80);
  CHECK(used(fixture.counted()) == "main 10.9.9.0/24>web:1");
}

TEST_CASE("statistics: when a policy last matched, by the deciders' clock") {
  Fixture fixture;
  CHECK_FALSE(fixture.counted().policies[0].last_match);
  fixture.decide("10.9.9.9", 22, 0);
  const auto age = [&](std::uint32_t now_s) {
    const Time last = fixture.counted(now_s).policies[0].last_match.value();
    return std::chrono::duration<double>(std::chrono::system_clock::now() - last).count();
  };
  CHECK(age(0) == doctest::Approx(0).epsilon(5));
  CHECK(age(1000) == doctest::Approx(1000).epsilon(0.01));
  fixture.decide("10.9.9.9", 22, 900);
  CHECK(age(1000) == doctest::Approx(100).epsilon(0.05));
  fixture.apply(example());
  CHECK(age(1000) == doctest::Approx(100).epsilon(0.05));
  CHECK_FALSE(fixture.counted().policies[1].last_match);
}

TEST_CASE("statistics: of the used routes those with most packets, and not too many") {
  Config config = example();
  config.tables[0].routes.clear();
  for (int i = 0; i < 150; ++i)
    config.tables[0].routes.push_back(route(format("10.9.{}.0/24", i), "web"));
  Fixture fixture(config);
  for (int i = 0; i < 130; ++i)
    for (int k = 0; k <= (i % 3 == 0 ? 2 : 0); ++k)
      fixture.decide(format("10.9.{}.1", i).c_str(), 80);
  const auto shown = fixture.counted().tables[0].used;
  REQUIRE(shown.size() == kUsedRoutesMax);
  for (std::size_t i = 0; i < 44; ++i) {  // every third, with three packets
    CHECK(shown[i].packets == 3);
    CHECK(shown[i].prefix == format("10.9.{}.0/24", 3 * i));
  }
  CHECK(shown[44].packets == 1);
  CHECK(shown[44].prefix == "10.9.1.0/24");  // then in the order of the table
  CHECK(fixture.counted().tables[0].routes == 150);
}

TEST_CASE("statistics: a dry run counts its packets, of those that go on to be decided") {
  Config config = example();
  config.policies = {policy("trial", 9, {criterion("dport", {"22-99"})}, Action::Drop),
                     policy("ssh", 8, {criterion("dport", {"22"})}, Action::Reject),
                     policy("behind", 7, {criterion("dport", {"22", "80"})}, Action::Reject)};
  config.policies[0].dry_run = config.policies[2].dry_run = true;
  Fixture fixture(config);
  const auto counts = [&] {
    return format("{} {} {}", fixture.packets("trial"), fixture.packets("ssh"),
                  fixture.packets("behind"));
  };
  const Flow ssh = flow("udp", "10.0.0.7", 7, "10.9.9.9", 22);
  CHECK(fixture.decide(ssh).action == Action::Reject);
  CHECK(counts() == "1 1 0");  // "ssh" was the end of it
  fixture.decide(ssh);         // from the memo
  CHECK(counts() == "2 2 0");
  const Flow web = flow("udp", "10.0.0.7", 7, "10.9.9.9", 80);
  CHECK(fixture.decide(web).action == Action::Steer);
  fixture.decide(web);
  CHECK(counts() == "4 2 2");
  fixture.decide("10.9.9.9", 100);
  CHECK(counts() == "4 2 2");
  CHECK(fixture.counted().policies[0].dry_run);
  CHECK(fixture.counted().policies[0].bytes == 400);
}

TEST_CASE("apply: an id that was given again belongs to the last who got it") {
  Config config;
  config.engine.mark.mask = 0x7;  // room for 5
  Steering steering(1);
  const auto servers = [&](std::initializer_list<int> numbers) {
    config.groups = {{"web", "round-robin", false, {}}};
    for (const int n : numbers)
      config.groups[0].servers.push_back(server(format("s{}", n), format("10.2.0.{}", n)));
    REQUIRE(steering.apply(config).empty());
  };
  const auto id_of = [&](const char* name) {
    for (const Server* each : steering.snapshot().servers)
      if (each && each->name == name) return int{each->id};
    return 0;
  };
  for (int n = 1; n <= 6; ++n) servers({n});
  const int sixth = id_of("s6");
  servers({1, 6});
  CHECK(id_of("s6") == sixth);
  CHECK(id_of("s1") != sixth);
}

TEST_CASE("statistics: every route of a table can be asked for") {
  Fixture fixture;
  fixture.decide("10.9.9.9", 80);
  const auto routes = fixture.steering.route_statistics("main");
  REQUIRE(routes.size() == 3);
  CHECK(routes[0].prefix == "10.0.0.0/8");
  CHECK(routes[0].packets == 0);
  CHECK(routes[2].target == "web");
  CHECK(routes[2].bytes == 100);
  CHECK(fixture.steering.route_statistics("none").empty());
}

TEST_CASE("apply: servers keep their ids, and balancers their place") {
  Fixture fixture;
  const auto ids = [&] {
    std::map<std::string, ServerId> made;
    for (const GroupStatistics& group : fixture.counted().groups)
      for (const ServerStatistics& server : group.servers)
        made[format("{}/{}", group.name, server.name)] = server.id;
    return made;
  };
  const auto before = ids();
  CHECK(fixture.decide("10.9.9.9", 80).server == before.at("web/a"));
  Config next = example();
  std::swap(next.groups[0], next.groups[1]);
  erase_named(find_named(next.groups, "dns")->servers, "c");
  next.groups[0].servers.insert(next.groups[0].servers.begin(), server("new", "10.2.0.9"));
  find_named(next.groups, "six")->servers[0].address = *parse_address("2001:db8:2::99");
  fixture.apply(next);
  const auto after = ids();
  for (const char* same : {"web/a", "web/b", "dns/six"}) CHECK(after.at(same) == before.at(same));
  // The others are not those that went: flows may carry their ids.
  for (const auto& [name, id] : before) {
    CHECK(after.at("dns/new") != id);
    CHECK(after.at("six/d") != id);
  }
  CHECK(fixture.decide("10.9.9.9", 80).server == before.at("web/b"));
  fixture.apply(example());
  CHECK(ids() == before);
}

TEST_CASE("statistics: a server that gets the id of another gets none of its flows") {
  Config config;
  config.engine.mark.mask = 0x7;  // room for 5
  config.groups = {{"web", "round-robin", false, {server("old", "10.2.0.1")}}};
  config.engine.on_no_route = ToGroup{"web"};
  Fixture fixture(config);
  const ServerId id = fixture.decide("10.9.9.9", 80).server;
  config.groups[0].servers.clear();
  for (int i = 0; i < 5; ++i)
    config.groups[0].servers.push_back(server(format("new{}", i), format("10.2.1.{}", i)));
  fixture.apply(config);
  CHECK(fixture.steering.snapshot().servers[id] != nullptr);
  CHECK(groups_text(fixture.counted()) == "web 1/0 new00 new10 new20 new30 new40");
}

TEST_CASE("apply: what was replaced is freed, whether or not anybody asks for statistics") {
  Fixture fixture;
  std::weak_ptr<const Snapshot> first = fixture.steering.world().snapshot;
  std::weak_ptr<const Desks> desks = fixture.steering.world().desks;
  fixture.steering.decider(0).enter();
  fixture.apply(example());
  CHECK(fixture.steering.worlds_left() == 1);
  CHECK_FALSE(first.expired());
  fixture.steering.decider(0).leave();
  CHECK(fixture.steering.worlds_left() == 0);
  fixture.apply(example());
  CHECK(first.expired());
  CHECK(desks.expired());
}

TEST_CASE("statistics: what a decider counts under a replaced configuration is not lost") {
  Fixture fixture;
  Decider& decider = fixture.steering.decider(0);
  const Flow ssh = flow("tcp", "10.0.0.7", 7, "10.9.9.9", 22);
  decider.enter();
  decider.decide(ssh, 0);
  fixture.apply(example());
  decider.decide(ssh, 0);
  CHECK(fixture.packets("ssh") == 2);
  decider.decide(ssh, 0);
  fixture.steering.reset_statistics();
  decider.decide(ssh, 0);
  decider.leave();
  CHECK(fixture.packets("ssh") == 1);
  CHECK(fixture.packets("ssh") == 1);  // once more, when it is carried
}
