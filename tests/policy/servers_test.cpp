// Which servers of a group take flows: states, priorities, limits, affinity.
#include <doctest/doctest.h>

#include <string>

#include "build.hpp"
#include "nfsteer/base/text.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

// A group behind a policy for all flows, and its decisions.
class World {
 public:
  explicit World(std::vector<ServerConfig> servers,
                 std::optional<AffinityConfig> affinity = std::nullopt) {
    GroupConfig group;
    group.name = "web";
    group.servers = std::move(servers);
    group.affinity = affinity;
    config.groups = {group, {"else", "round-robin", false, {server("other", "10.2.9.9")}}};
    config.policies = {policy("all", 10, {}, ToGroup{"web"}),
                       policy("rest", 5, {}, ToGroup{"else"})};
    compile();
  }

  void compile() {
    const auto problems = validate(config);
    REQUIRE_MESSAGE(problems.empty(), problems.front().message);
    snapshot = nfsteer::compile(config, states);
    situation = situation_at(*snapshot, Time());
  }

  // The names of the servers of so many flows of one client, from another port each.
  std::string take(int flows, const char* client = "192.0.2.7", std::uint32_t now_s = 0) {
    std::string names;
    for (int i = 0; i < flows; ++i) {
      const Flow each = flow("tcp", client, ++port_, "10.9.9.9", 80);
      const Decision told = nfsteer::decide(*snapshot, situation, each, Turn::Peek, now_s);
      const Decision made = nfsteer::decide(*snapshot, situation, each, Turn::Take, now_s);
      CHECK(told == made);
      names += snapshot->servers[made.server]->name;
    }
    return names;
  }
  ServerId id(const std::string& name) const {
    for (const Server* server : snapshot->servers)
      if (server && server->name == name) return server->id;
    return 0;
  }

  Config config;
  GroupStates states;
  std::unique_ptr<const Snapshot> snapshot;
  Situation situation;

 private:
  unsigned port_ = 1;
};

ServerConfig with(const char* name, auto change) {
  ServerConfig made = server(name, format("10.2.0.{}", static_cast<int>(*name - 'a' + 1)));
  change(made);
  return made;
}
ServerConfig plain(const char* name) {
  return with(name, [](ServerConfig&) {});
}

}  // namespace

TEST_CASE("servers: who takes new flows") {
  const auto drain = [](ServerConfig& s) { s.state = ServerState::Drain; };
  const auto maintenance = [](ServerConfig& s) { s.state = ServerState::Maintenance; };
  const auto backup = [](ServerConfig& s) { s.backup = true; };
  const auto better = [](ServerConfig& s) { s.priority = 10; };
  const auto best = [](ServerConfig& s) { s.priority = 11; };
  const auto good_backup = [](ServerConfig& s) {
    s.backup = true;
    s.priority = 1'000;
  };
  const struct {
    std::vector<ServerConfig> servers;
    const char* want;  // of four flows
  } kCases[] = {
      {{plain("a"), plain("b")}, "abab"},
      {{plain("a"), with("b", drain), plain("c")}, "acac"},
      {{with("a", maintenance), plain("b")}, "bbbb"},
      {{with("a", drain), with("b", maintenance)}, "otherotherotherother"},
      {{with("a", backup), plain("b"), plain("c")}, "bcbc"},
      {{with("a", backup), with("b", drain), with("c", backup)}, "acac"},
      {{plain("a"), with("b", better), with("c", best)}, "cccc"},
      {{plain("a"), with("b", better), with("c", better)}, "bcbc"},
      {{plain("a"), with("b", good_backup)}, "aaaa"},
      {{with("a", backup), with("b", good_backup)}, "bbbb"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.want);
    World world(row.servers);
    CHECK(world.take(4) == row.want);
  }
}

TEST_CASE("servers: limits, the next tier, and the next policy") {
  const auto limit = [](std::uint32_t connections) {
    return [connections](ServerConfig& s) { s.max_connections = connections; };
  };
  World world({with("a", limit(2)), with("b", limit(1)), with("c", [](ServerConfig& s) {
                 s.backup = true;
                 s.max_connections = 1;
               })});
  CHECK(world.take(3).find_first_not_of("ab") == std::string::npos);
  CHECK(world.states.gauges[world.id("a")].load() == 2);
  CHECK(world.states.gauges[world.id("b")].load() == 1);
  CHECK(world.take(2) == "cother");
  world.states.gauges.settle(world.id("b"));
  CHECK(world.take(2) == "bother");
  world.states.gauges.settle(world.id("a"));
  world.states.gauges.settle(world.id("c"));
  CHECK(world.take(3) == "acother");
}

TEST_CASE("servers: the order of a tier goes on while those before it are full") {
  const auto backup = [](ServerConfig& s) { s.backup = true; };
  World world({with("a", [](ServerConfig& s) { s.max_connections = 1; }), with("b", backup),
               with("c", backup)});
  const std::string seen = world.take(9);
  CHECK(seen.front() == 'a');
  CHECK((seen.substr(1) == "bcbcbcbc" || seen.substr(1) == "cbcbcbcb"));
}

TEST_CASE("servers: a full group among routes of one prefix is passed over") {
  World world({with("a", [](ServerConfig& s) { s.max_connections = 1; })});
  world.config.policies.clear();
  world.config.tables = {
      table("t", 0, {route("10.9.0.0/16", "web", 1), route("10.9.0.0/16", "else", 2)})};
  world.compile();
  CHECK(world.take(3) == "aotherother");
  world.states.gauges.settle(world.id("a"));
  CHECK(world.take(2) == "aother");
}

TEST_CASE("servers: load and ids outlive a configuration, a new server begins with none") {
  World world({plain("a"), plain("b")});
  world.take(4);
  world.config.groups[0].servers.push_back(plain("c"));
  world.compile();
  CHECK(world.states.gauges[world.id("a")].load() == 2);
  CHECK(world.states.gauges[world.id("c")].load() == 0);
  // Nobody says that flows carry the id of "a", so "d" gets it.
  const ServerId id = world.id("a");
  world.config.groups[0].servers[0] = plain("d");
  world.compile();
  REQUIRE(world.id("d") == id);
  CHECK(world.states.gauges[id].load() == 0);
  CHECK(world.states.gauges[world.id("b")].load() == 2);
}

TEST_CASE("affinity: a client stays, while its server may take flows") {
  const AffinityConfig affinity{.v4_bits = 24, .timeout_s = 100};
  World world({plain("a"), plain("b"), plain("c")}, affinity);
  CHECK(world.take(3, "192.0.2.7") == "aaa");
  CHECK(world.take(3, "192.0.3.7") == "bbb");
  CHECK(world.take(3, "192.0.2.99") == "aaa");   // one client: the same /24
  CHECK(world.take(1, "192.0.2.7", 99) == "a");  // and its time begins anew
  CHECK(world.take(1, "192.0.2.7", 198) == "a");
  CHECK(world.take(1, "192.0.3.7", 198) == "c");
  SUBCASE("not on a backup when others may take it again") {
    world.config.groups[0].servers[0].max_connections = 12;
    for (const std::size_t i : {std::size_t{1}, std::size_t{2}})
      world.config.groups[0].servers[i].backup = true;
    world.compile();
    REQUIRE(world.take(4, "192.0.2.7", 199) == "aaaa");  // 12 now
    CHECK(world.take(1, "192.0.2.7", 199) != "a");
    world.states.gauges.settle(world.id("a"));
    CHECK(world.take(1, "192.0.2.7", 199) == "a");
  }
  SUBCASE("over a new configuration") {
    world.compile();
    CHECK(world.take(2, "192.0.2.7", 199) == "aa");
  }
  SUBCASE("not on a server that drains") {
    world.config.groups[0].servers[0].state = ServerState::Drain;
    world.compile();
    const std::string next = world.take(1, "192.0.2.7", 199);
    CHECK(next != "a");
    world.config.groups[0].servers[0].state = ServerState::Up;
    world.compile();
    CHECK(world.take(3, "192.0.2.7", 200) == next + next + next);
  }
  SUBCASE("other options forget all clients") {
    world.config.groups[0].affinity->v4_bits = 32;
    world.compile();
    CHECK(world.snapshot->groups[0].affinity->clients(199) == 0);
  }
}
