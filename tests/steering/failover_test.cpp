// Servers that fail and come back, and what people set of them while all runs; through
// the public headers alone.
#include <doctest/doctest.h>

#include <map>
#include <string>

#include "nfsteer/base/text.hpp"
#include "nfsteer/steering.hpp"

using namespace nfsteer;
using namespace std::chrono_literals;

namespace {

using Instant = Steering::Instant;

ServerConfig server(const std::string& name, const std::string& address) {
  return {.name = name, .address = *parse_address(address), .port = 80};
}

GroupConfig web(Failover failover) {
  GroupConfig made;
  made.name = "web";
  made.algorithm = "weighted";
  made.servers = {server("a", "10.2.0.1"), server("b", "10.2.0.2"), server("c", "10.2.0.3")};
  made.failover.failover = failover;
  if (failover == Failover::Probe) made.check = "any";
  return made;
}

// A steering of one thread, whose clock stands until it is moved.
class Site {
 public:
  explicit Site(const GroupConfig& group) {
    config_.groups = {group};
    config_.checks.emplace_back().name = "any";
    PolicyConfig& all = config_.policies.emplace_back();
    all.name = "all";
    all.target = ToGroup{group.name};
    apply();
  }

  GroupConfig& group() { return config_.groups.front(); }
  void apply() {
    const auto problems = steering.apply(config_);
    REQUIRE_MESSAGE(problems.empty(), problems.front().message);
  }
  void check(const char* server, std::optional<bool> is_up) {
    steering.set_check(server, is_up, "refused", now);
  }
  void set(const char* server, std::optional<ServerState> state,
           std::optional<WeightOverride> weight = {}) {
    Overrides overrides = steering.overrides();
    overrides.servers[server] = {state, {}, weight};
    steering.set_overrides(overrides, now);
  }
  // As conntrack would report of a TCP flow to the server: refused.
  void refuse(const char* name) {
    FlowReport report;
    report.server = steering.find_server(name)->id;
    report.tuple = flow().tuple;
    report.key = flow_key(++key_, report.tuple);
    ledger_.apply(report, now);
    report.kind = FlowReport::Kind::Destroy;
    report.tcp_state = TcpState::Close;
    ledger_.apply(report, now);
  }

  // How many of so many new flows each server got: "a 30 b 60".
  std::string spread(int flows) {
    std::map<std::string, int> counts;
    for (int i = 0; i < flows; ++i) ++counts[open()];
    std::string text;
    for (const auto& [name, count] : counts)
      text += format("{}{} {}", text.empty() ? "" : " ", name, count);
    return text;
  }
  std::string open() { return send(flow()); }
  std::string send(const Flow& flow) {
    Decider& decider = steering.decider(0);
    const World& world = decider.enter();
    const Decision decision = decider.decide(flow, 1);
    decider.leave();
    if (decision.action != Action::Steer) return name(decision.action);
    return world.snapshot->servers[decision.server]->name;
  }
  Flow flow() {
    Flow made;
    made.tuple = {*parse_address("192.0.2.7"), *parse_address("10.9.9.9"), ++port_, 80,
                  protocol::kTcp};
    made.has_ports = true;
    return made;
  }

  Steering steering{1};
  Instant now{1'000'000s};

 private:
  Config config_;
  FlowLedger ledger_{4093, steering.gauges(), steering.records()};
  std::uint16_t port_ = 0;
  std::uint32_t key_ = 0;
};

}  // namespace

TEST_CASE("failover: by checks, and only where the group says so") {
  struct Case {
    Failover failover;
    const char* want;
  };
  static constexpr Case kCases[] = {{Failover::None, "a 30 b 30 c 30"},
                                    {Failover::Immediate, "a 45 c 45"},
                                    {Failover::Delayed, "a 45 c 45"},
                                    {Failover::Probe, "a 45 c 45"}};
  for (const Case& one : kCases) {
    CAPTURE(std::string(name(one.failover)));
    Site site(web(one.failover));
    site.check("web/a", true);
    site.check("web/b", false);
    site.check("web/nobody", false);
    CHECK(site.spread(90) == one.want);
    const GroupStatistics seen = site.steering.statistics(1).groups[0];
    CHECK(seen.failover == name(one.failover));
    CHECK(seen.servers[0].health == "up");
    CHECK(seen.servers[1].health == "down");
    CHECK(seen.servers[2].health == "unknown");
    site.check("web/b", true);
    CHECK(site.spread(90) == "a 30 b 30 c 30");
  }
}

TEST_CASE("failover: by flows, at once and until the ejection is over") {
  Site site(web(Failover::Immediate));
  site.refuse("web/b");
  CHECK(site.spread(60).find("b ") == std::string::npos);  // before anybody has judged
  CHECK(site.steering.advance(site.now) == site.now + 30s);
  CHECK(site.spread(60) == "a 30 c 30");
  CHECK(site.steering.take_events().size() == 1);
  GroupStatistics seen = site.steering.statistics(1).groups[0];
  CHECK(seen.servers[1].ejected);
  CHECK(site.steering.statistics(1).failover.at("ejected") == 1);

  // Another one fails: too many, so it goes on.
  site.refuse("web/c");
  CHECK(site.spread(10) == "a 10");
  site.steering.advance(site.now);
  CHECK(site.spread(60) == "a 30 c 30");
  CHECK(site.steering.statistics(1).failover.at("ejection-limit") == 1);

  site.now += 30s;
  CHECK(site.steering.advance(site.now) == Instant::max());
  CHECK(site.spread(90) == "a 30 b 30 c 30");
  CHECK(!site.steering.statistics(1).groups[0].servers[1].ejected);
}

TEST_CASE("failover: delayed counts failures in a row") {
  Site site(web(Failover::Delayed));
  site.group().failover.failures = 3;
  site.apply();
  for (int i = 0; i < 2; ++i) site.refuse("web/b");
  site.steering.advance(site.now);
  CHECK(site.spread(90) == "a 30 b 30 c 30");
  site.refuse("web/b");
  site.steering.advance(site.now);
  CHECK(site.spread(60) == "a 30 c 30");
}

TEST_CASE("failover: what is remembered does not lead to a server that is down") {
  Site site(web(Failover::Probe));
  const Flow flow = site.flow();
  const std::string before = site.send(flow);
  CHECK(site.send(flow) == before);
  const std::string name = "web/" + before;
  site.check(name.c_str(), false);
  const std::string after = site.send(flow);
  CHECK(after != before);
  site.check(name.c_str(), true);
  CHECK(site.send(flow) == after);  // it stays
}

TEST_CASE("failover: without a usable server flows go elsewhere") {
  Site site(web(Failover::Probe));
  for (const char* server : {"web/a", "web/b", "web/c"}) site.check(server, false);
  CHECK(site.open() == "accept");
  CHECK(!site.steering.statistics(1).groups[0].tier);
  site.check("web/c", true);  // one of three: all take flows
  CHECK(site.spread(90) == "a 30 b 30 c 30");
  CHECK(site.steering.statistics(1).groups[0].panic);
  site.check("web/a", true);
  CHECK(site.spread(60) == "a 30 c 30");
  CHECK(site.steering.statistics(1).groups[0].tier == 1);
}

TEST_CASE("failover: backups take what the first tier cannot") {
  GroupConfig group = web(Failover::Probe);
  group.servers[2].backup = true;
  Site site(group);
  CHECK(site.spread(60) == "a 30 b 30");
  site.check("web/a", false);
  site.check("web/b", false);
  CHECK(site.spread(10) == "c 10");
  CHECK(site.steering.statistics(1).groups[0].tier == 2);
}

TEST_CASE("failover: health goes on over changes of the configuration") {
  Site site(web(Failover::Immediate));
  site.check("web/a", false);
  site.refuse("web/b");
  site.steering.advance(site.now);
  CHECK(site.spread(10) == "a 4 b 3 c 3");  // of three one is left: panic
  std::swap(site.group().servers[0], site.group().servers[2]);
  site.group().failover.panic_percent = 0;
  site.apply();
  CHECK(site.spread(10) == "c 10");
}

TEST_CASE("overrides: what people set holds over changes of the configuration") {
  Site site(web(Failover::Immediate));
  site.set("web/a", ServerState::Drain);
  CHECK(site.spread(60) == "b 30 c 30");
  CHECK(site.steering.statistics(1).groups[0].servers[0].state == std::string("drain"));
  CHECK(!site.steering.statistics(1).groups[0].panic);
  site.apply();
  CHECK(site.spread(60) == "b 30 c 30");
  site.set("web/a", {}, WeightOverride{300, true});
  CHECK(site.spread(100) == "a 60 b 20 c 20");
  site.group().servers[0].weight = 2;  // of which it is 300 percent now
  site.apply();
  CHECK(site.spread(80) == "a 60 b 10 c 10");
  site.set("web/a", {}, WeightOverride{3, false});
  CHECK(site.spread(100) == "a 60 b 20 c 20");
  CHECK(site.steering.weight_of(*site.steering.find_server("web/a")) == 3);
  site.set("web/a", ServerState::Maintenance);
  CHECK(site.spread(10) == "b 5 c 5");

  Overrides overrides;
  overrides.algorithms["web"] = "hash";
  overrides.algorithms["nobody"] = "hash";
  overrides.servers["nobody/a"] = {ServerState::Drain, {}, {}};
  site.steering.set_overrides(overrides, site.now);
  CHECK(site.steering.statistics(1).groups[0].algorithm == "hash");
  const std::string first = site.open();  // all of one client go to one server
  CHECK(site.spread(10) == first + " 10");
  overrides.algorithms["web"] = "of a later version";
  site.steering.set_overrides(overrides, site.now);
  CHECK(site.steering.statistics(1).groups[0].algorithm == "weighted");
}

TEST_CASE("overrides: a server that was drained starts slowly") {
  GroupConfig group = web(Failover::None);
  group.slow_start_s = 100;
  Site site(group);
  const Time start = std::chrono::system_clock::now();
  site.steering.set_time(start);
  site.set("web/a", ServerState::Drain);
  site.set("web/a", ServerState::Up);
  CHECK(site.spread(210) == "a 10 b 100 c 100");
  site.steering.set_time(start + 50s);
  CHECK(site.spread(250) == "a 50 b 100 c 100");
}
