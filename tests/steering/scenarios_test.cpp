// What people expect of a load balancer, through the public headers alone: groups,
// servers, algorithms, what is counted.
#include <doctest/doctest.h>

#include <array>
#include <map>
#include <set>
#include <string>

#include "nfsteer/base/text.hpp"
#include "nfsteer/steering.hpp"

using namespace nfsteer;

namespace {

ServerConfig server(const std::string& name, const std::string& address, std::uint32_t weight = 1) {
  return {.name = name, .address = *parse_address(address), .port = {}, .weight = weight};
}

GroupConfig group(const std::string& name, const std::string& algorithm,
                  std::vector<ServerConfig> servers) {
  GroupConfig made;
  made.name = name;
  made.algorithm = algorithm;
  made.servers = std::move(servers);
  return made;
}

std::vector<ServerConfig> three() {
  return {server("a", "10.2.0.1"), server("b", "10.2.0.2"), server("c", "10.2.0.3")};
}

PolicyConfig all_to(const std::string& group) {
  PolicyConfig made;
  made.name = "all";
  made.target = ToGroup{group};
  return made;
}

void add_route(TableConfig& table, const std::string& prefix, const std::string& group) {
  RouteConfig& route = table.routes.emplace_back();
  route.prefix = *parse_prefix(prefix);
  route.target = ToGroup{group};
}

// A steering of one thread.
class Balancing {
 public:
  explicit Balancing(Config config) : config_(std::move(config)) { apply(); }
  explicit Balancing(GroupConfig only) {
    config_.policies = {all_to(only.name)};
    config_.groups = {std::move(only)};
    apply();
  }

  void apply() {
    const auto problems = steering.apply(config_);
    REQUIRE_MESSAGE(problems.empty(), problems.front().message);
  }

  // "group/server" of a new flow, or the action.
  std::string send(const Flow& flow, std::uint32_t now_s = 1) {
    Decider& decider = steering.decider(0);
    const World& world = decider.enter();
    const Decision decision = decider.decide(flow, now_s);
    decider.leave();
    if (decision.action != Action::Steer) return name(decision.action);
    last = decision.server;
    return format("{}/{}", world.snapshot->groups[*decision.group].name,
                  world.snapshot->servers[decision.server]->name);
  }
  // The same of a flow of that client from a port that it did not use before.
  std::string open(const std::string& client = "192.0.2.7",
                   const std::string& destination = "10.9.9.9") {
    return send(flow(client, ++port_, destination));
  }
  std::map<std::string, int> open_many(int flows, const std::string& client = "192.0.2.7") {
    std::map<std::string, int> seen;
    for (int i = 0; i < flows; ++i) ++seen[open(client)];
    return seen;
  }

  static Flow flow(const std::string& client, std::uint16_t port, const std::string& destination) {
    Flow made;
    made.tuple = {*parse_address(client), *parse_address(destination), port, 80, protocol::kTcp};
    made.has_ports = true;
    made.bytes = 60;
    return made;
  }

  Config& config() { return config_; }
  Steering steering{1};
  ServerId last = 0;

 private:
  Config config_;
  std::uint16_t port_ = 0;
};

}  // namespace

TEST_CASE("scenario: round robin goes in order and begins again") {
  Balancing web(group("web", "round-robin", three()));
  for (const char* want : {"web/a", "web/b", "web/c", "web/a", "web/b", "web/c", "web/a"})
    CHECK(web.open() == want);
}

TEST_CASE("scenario: another process goes on in the order, group by group") {
  std::array<Ticket, 3> kept;
  Config config;
  config.groups = {group("web", "round-robin", three()), group("api", "round-robin", three())};
  PolicyConfig api = all_to("api");
  Criterion saddr{find_field("saddr"), {}, {}};
  REQUIRE(saddr.add("192.0.2.0/24"));
  api.match.push_back({saddr});
  config.policies = {api, all_to("web")};
  config.policies[1].name = "web";
  std::string seen;
  for (int process = 0; process < 4; ++process) {
    Steering steering(1, kept);
    if (process == 2) std::swap(config.groups[0], config.groups[1]);
    REQUIRE(steering.apply(config).empty());
    Decider& decider = steering.decider(0);
    const World& world = decider.enter();
    for (const char* client : {"192.0.2.7", "192.0.2.8", "198.51.100.7"}) {
      const Decision decision = decider.decide(Balancing::flow(client, 1, "10.9.9.9"), 1);
      seen += world.snapshot->servers[decision.server]->name;
    }
    decider.leave();
  }
  // Of the four tickets two had room beside web's; the IPv6 ones are not used here.
  CHECK(seen ==
        "aba"
        "cab"
        "bcc"
        "aba");
}

TEST_CASE("scenario: least connections picks who has least, and again when flows end") {
  Balancing web(group("web", "least-connections", three()));
  std::set<std::string> first;
  for (int i = 0; i < 3; ++i) first.insert(web.open());
  CHECK(first.size() == 3);
  web.open_many(30);
  const std::string ended = web.open();  // 34 flows
  web.steering.gauges().settle(web.last, 5);
  for (int i = 0; i < 4; ++i) CHECK(web.open() == ended);
}

TEST_CASE("scenario: weights are shares") {
  for (const char* algorithm : {"weighted", "weighted-random", "maglev", "least-connections"}) {
    CAPTURE(algorithm);
    Balancing web(
        group("web", algorithm, {server("a", "10.2.0.1", 3), server("b", "10.2.0.2", 1)}));
    const auto seen = web.open_many(4000);
    CHECK(seen.at("web/a") == doctest::Approx(3000).epsilon(0.04));
  }
}

TEST_CASE("scenario: a hash of the source keeps a client on its server") {
  Balancing web(group("web", "hash", three()));
  std::set<std::string> all;
  for (int i = 1; i <= 60; ++i) {
    const std::string client = format("192.0.2.{}", i);
    const auto seen = web.open_many(5, client);
    CHECK(seen.size() == 1);
    all.insert(seen.begin()->first);
  }
  CHECK(all.size() == 3);
}

TEST_CASE("scenario: servers that take no flows are skipped, and none may be left") {
  Balancing web(group("web", "round-robin", three()));
  const auto set = [&web](std::size_t index, ServerState state) {
    web.config().groups[0].servers[index].state = state;
    web.apply();
  };
  set(0, ServerState::Maintenance);
  CHECK(web.open_many(10).contains("web/a") == false);
  set(1, ServerState::Drain);
  CHECK(web.open_many(10) == std::map<std::string, int>{{"web/c", 10}});
  set(2, ServerState::Drain);
  CHECK(web.open() == "accept");
  CHECK(web.steering.statistics(1).groups[0].failed == 1);
  set(0, ServerState::Up);
  CHECK(web.open() == "web/a");
}

TEST_CASE("scenario: IPv6, and mapped addresses, which are IPv4") {
  Balancing web(group("web", "round-robin",
                      {server("four", "::ffff:10.2.0.1"), server("six", "2001:db8:2::1")}));
  CHECK(web.open("192.0.2.7", "10.9.9.9") == "web/four");
  CHECK(web.open("2001:db8::7", "2001:db8:9::9") == "web/six");
  CHECK(web.open("::ffff:192.0.2.7", "::ffff:10.9.9.9") == "web/four");
  CHECK(web.steering.statistics(1).groups[0].servers[0].address == "10.2.0.1");
}

TEST_CASE("scenario: what is counted of servers and groups") {
  Balancing web(group("web", "round-robin", three()));
  FlowLedger ledger(4093, web.steering.gauges(), web.steering.records());
  const FlowLedger::Instant start{std::chrono::hours(1)};
  for (std::uint64_t key = 1; key <= 6; ++key) {
    web.open();
    FlowReport report;
    report.server = web.last;
    report.key = key;
    report.tuple = Balancing::flow("192.0.2.7", static_cast<std::uint16_t>(key), "10.9.9.9").tuple;
    ledger.apply(report, start);
    report.kind = FlowReport::Kind::Update;
    report.seen_reply = key != 1;
    report.tcp_state = TcpState::SynReceived;
    if (key != 1) ledger.apply(report, start + std::chrono::milliseconds(2));
    if (key > 2) continue;
    report.kind = FlowReport::Kind::Destroy;
    report.tcp_state = key == 1 ? TcpState::Close : TcpState::TimeWait;
    report.volume = Volume{10, 1000};
    ledger.apply(report, start + std::chrono::seconds(1));
  }
  const Statistics statistics = web.steering.statistics(1);
  const GroupStatistics& counted = statistics.groups[0];
  CHECK(counted.requests == 6);
  CHECK(counted.selected == 6);
  CHECK(counted.traffic.total == 6);
  CHECK(counted.traffic.active == 4);
  CHECK(counted.traffic.failed == 1);
  CHECK(counted.traffic.bytes == 2000);
  CHECK(counted.traffic.packets == 20);
  CHECK(counted.traffic.latency_us.samples == 5);
  CHECK(counted.traffic.latency_us.avg_us == 2000);
  CHECK(counted.servers[0].traffic.active == 1);  // of 2
  CHECK(counted.servers[0].traffic.failed == 1);
  CHECK(counted.servers[2].traffic.active == 2);
  CHECK(statistics.traffic.total == 6);

  web.steering.reset_statistics();
  const GroupStatistics reset = web.steering.statistics(1).groups[0];
  CHECK(reset.requests == 0);
  CHECK(reset.traffic.total == 0);
  CHECK(reset.traffic.bytes == 0);
  CHECK(reset.traffic.latency_us.samples == 0);
  CHECK(reset.traffic.active == 4);  // they are there still
}

TEST_CASE("scenario: many groups, each with its own order") {
  Config config;
  for (int i = 0; i < 200; ++i) {
    config.groups.push_back(group(format("g{}", i), "round-robin", three()));
    TableConfig table;
    table.name = format("t{}", i);
    add_route(table, format("10.{}.{}.0/24", 100 + i / 100, i % 100), format("g{}", i));
    config.tables.push_back(table);
  }
  Balancing many(config);
  for (const char* want : {"a", "b", "c", "a"})
    for (int i = 0; i < 200; ++i)
      CHECK(many.open("192.0.2.7", format("10.{}.{}.9", 100 + i / 100, i % 100)) ==
            format("g{}/{}", i, want));
}

TEST_CASE("scenario: a group of one server, and one of none, which is refused") {
  for (const Algorithm& algorithm : algorithms()) {
    CAPTURE(algorithm.name);
    Balancing one(group("one", algorithm.name, {server("a", "10.2.0.1")}));
    CHECK(one.open_many(20) == std::map<std::string, int>{{"one/a", 20}});
    one.config().groups[0].servers.clear();
    CHECK(one.steering.apply(one.config()).size() == 1);
    CHECK(one.open() == "one/a");  // as before
  }
}

TEST_CASE("scenario: the first policy that matches, by priority") {
  Config config;
  config.groups = {group("web", "round-robin", three()), group("api", "round-robin", three())};
  PolicyConfig api = all_to("api");
  api.name = "api";
  api.priority = 10;
  Criterion saddr{find_field("saddr"), {}, {}};
  REQUIRE(saddr.add("192.0.2.0/24"));
  api.match.push_back({saddr});
  config.policies = {all_to("web"), api};
  Balancing both(config);
  CHECK(both.open("192.0.2.7") == "api/a");
  CHECK(both.open("198.51.100.7") == "web/a");
  find_named(both.config().policies, "api")->enabled = false;
  both.apply();
  CHECK(both.open("192.0.2.7") == "web/b");
}

TEST_CASE("scenario: a remembered decision is a hit until its time is over") {
  Balancing web(group("web", "round-robin", three()));
  web.config().cache.timeout_s = 60;
  web.apply();
  const Flow flow = Balancing::flow("192.0.2.7", 1, "10.9.9.9");
  CHECK(web.send(flow, 100) == "web/a");
  CHECK(web.send(flow, 159) == "web/a");
  CHECK(web.steering.statistics(159).cache.hits == 1);
  CHECK(web.send(flow, 160) == "web/b");
  web.steering.flush_cache();
  CHECK(web.send(flow, 161) == "web/c");
  CHECK(web.steering.statistics(161).cache.misses == 3);
}

TEST_CASE("scenario: groups, servers, routes and policies come and go") {
  Balancing web(group("web", "round-robin", three()));
  CHECK(web.open() == "web/a");
  erase_named(web.config().groups[0].servers, "b");
  web.config().groups[0].servers.push_back(server("d", "10.2.0.4"));
  web.config().groups[0].algorithm = "weighted";
  web.apply();
  CHECK(web.open_many(3) == std::map<std::string, int>{{"web/a", 1}, {"web/c", 1}, {"web/d", 1}});
  web.config().policies.clear();
  web.apply();
  CHECK(web.open() == "accept");
  TableConfig table;
  table.name = "t";
  add_route(table, "10.9.0.0/16", "web");
  web.config().tables = {table};
  web.apply();
  CHECK(web.open().starts_with("web/"));
}
