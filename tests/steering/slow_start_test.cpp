// Servers that begin to take flows do so slowly.
#include <doctest/doctest.h>

#include "../policy/build.hpp"
#include "nfsteer/steering.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

constexpr Time kStart = Time(std::chrono::hours(24 * 365 * 50));

Time after(int seconds) {
  return kStart + std::chrono::seconds(seconds);
}

Config config_of(std::vector<ServerConfig> servers) {
  GroupConfig group;
  group.name = "web";
  group.algorithm = "weighted";
  group.slow_start_s = 30;
  group.servers = std::move(servers);
  Config config;
  config.groups = {group};
  config.policies = {policy("all", 0, {}, ToGroup{"web"})};
  return config;
}

// How many of 1,100 new flows go to the server.
int flows_of(Steering& steering, const std::string& name) {
  static unsigned port = 0;
  Decider& decider = steering.decider(0);
  const World& world = decider.enter();
  int found = 0;
  for (int i = 0; i < 1100; ++i) {
    ++port;
    const Flow each = flow("tcp", "192.0.2.7", port % 65'536, "10.9.9.9", port / 65'536 + 1);
    found += world.snapshot->servers[decider.decide(each, 1).server]->name == name;
  }
  decider.leave();
  return found;
}

}  // namespace

TEST_CASE("slow start: linear from a tenth; not for the servers that were first") {
  Steering steering(1);
  steering.set_time(kStart);
  const ServerConfig a = server("a", "10.2.0.1"), b = server("b", "10.2.0.2");
  REQUIRE(steering.apply(config_of({a})).empty());
  CHECK(steering.set_time(after(1)) == Time::max());
  CHECK(flows_of(steering, "a") == 1100);

  REQUIRE(steering.apply(config_of({a, b})).empty());
  CHECK(steering.set_time(after(1)) == after(2));  // to be called again in a second
  CHECK(flows_of(steering, "b") == 100);           // of 1 + 0.1
  CHECK(steering.set_time(after(16)) == after(17));
  CHECK(flows_of(steering, "b") == doctest::Approx(1100 * 0.5 / 1.5).epsilon(0.02));
  // The same configuration again changes nothing.
  REQUIRE(steering.apply(config_of({a, b})).empty());
  CHECK(flows_of(steering, "b") == doctest::Approx(1100 * 0.5 / 1.5).epsilon(0.02));
  CHECK(steering.set_time(after(31)) == Time::max());
  CHECK(flows_of(steering, "b") == 550);

  // A clock that is set back does not start it over for longer than its time.
  steering.set_time(after(31));
  ServerConfig drained = a;
  drained.state = ServerState::Drain;
  REQUIRE(steering.apply(config_of({drained, b})).empty());
  CHECK(flows_of(steering, "a") == 0);
  REQUIRE(steering.apply(config_of({a, b})).empty());
  CHECK(flows_of(steering, "a") == 100);
  steering.set_time(kStart);
  CHECK(flows_of(steering, "a") == 100);  // and "b", which was warm, stays so
  CHECK(steering.set_time(after(30)) == Time::max());
  CHECK(flows_of(steering, "a") == 550);
}

TEST_CASE("slow start: what is remembered of flows stays") {
  Steering steering(1);
  steering.set_time(kStart);
  REQUIRE(steering.apply(config_of({server("a", "10.2.0.1")})).empty());
  REQUIRE(steering.apply(config_of({server("a", "10.2.0.1"), server("b", "10.2.0.2")})).empty());
  const Flow one = flow("tcp", "192.0.2.7", 1, "10.9.9.9", 80);
  Decider& decider = steering.decider(0);
  decider.enter();
  const Decision first = decider.decide(one, 1);
  decider.leave();
  for (int i = 1; i < 40; ++i) {
    steering.set_time(after(i));
    decider.enter();
    CHECK(decider.decide(one, 1).server == first.server);
    decider.leave();
  }
  CHECK(steering.statistics(1).cache.hits == 39);
}
