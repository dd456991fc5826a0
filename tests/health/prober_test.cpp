// The prober's thread, with real probes.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "probing.hpp"
#include "servers.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;
using namespace std::chrono_literals;

namespace {

CheckConfig quick_check(std::string kind = "tcp") {
  CheckConfig check = check_of(std::move(kind));
  check.interval = check.interval_down = 50ms;
  check.timeout = 50ms;
  check.fall = check.rise = 2;
  return check;
}

// What a prober reported.
class Reports {
 public:
  std::function<void(const HealthEvent&)> listener() {
    return [this](const HealthEvent& event) {
      const std::lock_guard lock(mutex_);
      told_.push_back(to_string(event));
      if (prober_) (void)prober_->statuses();
    };
  }
  void use(const Prober& prober) {
    const std::lock_guard lock(mutex_);
    prober_ = &prober;
  }
  std::vector<std::string> told() const {
    const std::lock_guard lock(mutex_);
    return told_;
  }
  bool contains(std::string_view part) const {
    for (const std::string& each : told())
      if (each.find(part) != each.npos) return true;
    return false;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> told_;
  const Prober* prober_ = nullptr;
};

void eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + 30s;
  while (!holds() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(2ms);
  CHECK(holds());
}

const Address kHere = loopback_of(AF_INET);

}  // namespace

TEST_CASE("Prober: a server comes and goes") {
  in_own_netns([] {
    Reports reports;
    Prober prober(reports.listener());
    reports.use(prober);
    auto server = std::make_unique<TcpServer>(be_silent);
    const CheckTarget target{"plain", kHere, server->port()};
    prober.set_targets({quick_check()}, {{target}});
    CHECK(prober.statuses().front().state == CheckState::Unknown);
    REQUIRE(prober.start());
    eventually([&] { return prober.statuses().front().state == CheckState::Up; });
    CHECK(prober.statuses().front().last->took < 1s);
    server.reset();
    eventually([&] { return prober.statuses().front().state == CheckState::Down; });
    CHECK(prober.statuses().front().last->reason == "refused");
    CHECK(reports.contains("down, was up: refused"));
  });
}

TEST_CASE("Prober: the time-out is of the whole probe") {
  in_own_netns([] {
    Reports reports;
    Prober prober(reports.listener());
    const TcpServer silent(be_silent), slow(endless("HTTP/1.1 200 OK\r\n", "x", 10ms));
    const CheckTarget targets[] = {{"plain", kHere, silent.port()}, {"plain", kHere, slow.port()}};
    prober.set_targets({quick_check("http")}, {{targets[0]}, {targets[1]}});
    REQUIRE(prober.start());
    eventually([&] {
      const auto statuses = prober.statuses();
      return std::all_of(statuses.begin(), statuses.end(),
                         [](const auto& each) { return each.state == CheckState::Down; });
    });
    for (const TargetStatus& status : prober.statuses()) {
      CHECK(status.last->reason == "no answer within 50ms");
      CHECK(status.last->took >= 50ms);
    }
  });
}

TEST_CASE("Prober: targets are added, removed, put to sleep and awoken while it runs") {
  in_own_netns([] {
    Prober prober([](const HealthEvent&) {});
    REQUIRE(prober.start());
    const TcpServer server(be_silent);
    const CheckTarget target{"plain", kHere, server.port()};
    prober.set_targets({quick_check()}, {{target, {}, false}});
    CHECK(prober.statuses().size() == 1);
    std::this_thread::sleep_for(100ms);  // in which it would be probed
    CHECK(server.connections() == 0);
    prober.set_awake(target, true);
    eventually([&] { return prober.statuses().front().state == CheckState::Up; });
    prober.remove(target);
    CHECK(prober.statuses().empty());
  });
}

TEST_CASE("Prober: a probe that is given up is ended") {
  in_own_netns([] {
    Prober prober([](const HealthEvent&) {});
    CheckConfig check = quick_check("http");
    check.interval = check.timeout = 1h;
    const TcpServer silent(be_silent);
    const CheckTarget target{"plain", kHere, silent.port()};
    prober.set_targets({check}, {{target, {}, false}});
    prober.set_awake(target, true);  // at once
    REQUIRE(prober.start());
    eventually([&] { return silent.connections() == 1; });
    const std::size_t before = open_descriptors();
    prober.remove(target);
    eventually([&] { return open_descriptors() < before; });
    prober.set_targets({check}, {{target, {}, false}});
    prober.set_awake(target, true);
    eventually([&] { return silent.connections() == 2; });
  });  // and so ends with a probe that runs
}

TEST_CASE("Prober: where all fail at once nobody goes down") {
  in_own_netns([] {
    Reports reports;
    Prober prober(reports.listener());
    const TcpServer server(be_silent);
    std::vector<WantedTarget> wanted;
    for (std::uint32_t i = 1; i <= 10; ++i)
      wanted.push_back({{"plain", Address::v4(0x7f00'0000 + i), server.port()}});
    CheckConfig check = quick_check();
    check.interval = check.timeout = 300ms;
    check.fall = 1;
    prober.set_targets({check}, wanted);
    REQUIRE(prober.start());
    eventually([&] {
      const auto statuses = prober.statuses();
      return std::all_of(statuses.begin(), statuses.end(),
                         [](const auto& each) { return each.state == CheckState::Up; });
    });
    run("ip link set lo down");
    eventually([&] { return reports.contains("began to fail at once"); });
    eventually([&] { return prober.statuses().back().held; });
    for (const TargetStatus& status : prober.statuses()) CHECK(status.state == CheckState::Up);
    CHECK(!reports.contains("down, was"));
    run("ip link set lo up");
    eventually([&] { return reports.contains("believed again"); });
    CHECK(!reports.contains("down, was"));
  });
}

TEST_CASE("Prober: short of descriptors it blames no server, and says so once") {
  const auto result = in_fresh_netns([]() -> std::string {
    run("ip link set lo up");
    Reports reports;
    Prober prober(reports.listener());
    const TcpServer server(be_silent);
    std::vector<WantedTarget> wanted;
    for (std::uint32_t i = 1; i <= 20; ++i)
      wanted.push_back({{"plain", Address::v4(0x7f00'0000 + i), server.port()}});
    prober.set_targets({quick_check()}, wanted);
    require(prober.start().has_value(), "start");
    const auto all = [&](const std::function<bool(const TargetStatus&)>& holds) {
      const auto statuses = prober.statuses();
      return std::all_of(statuses.begin(), statuses.end(), holds);
    };
    const auto is_up = [](const TargetStatus& each) {
      return each.state == CheckState::Up && each.skipped.empty();
    };
    wait_until([&] { return all(is_up); }, "all are up");
    // Room for no more, until the server lets go what it has.
    std::vector<Fd> fill;
    const auto until = std::chrono::steady_clock::now() + 10s;
    const auto are_skipped = [&] {
      for (;;) {
        Fd another(::dup(0));
        if (!another) break;
        fill.push_back(std::move(another));
      }
      return all([](const TargetStatus& each) { return each.skipped == "Too many open files"; });
    };
    while (!are_skipped()) require(std::chrono::steady_clock::now() < until, "all are skipped");
    std::this_thread::sleep_for(300ms);
    std::string told;
    for (const std::string& each : reports.told())
      if (each.find("up, was unknown") == each.npos) told += each + "\n";
    require(all([](const TargetStatus& each) { return each.state == CheckState::Up; }), "up");
    fill.clear();
    wait_until([&] { return all(is_up); }, "all are asked again");
    return told;
  });
  if (result) {
    CHECK(result->find("cannot ask, which is no failure of the server: Too many open files\n") !=
          std::string::npos);
    CHECK(std::count(result->begin(), result->end(), '\n') == 1);
  }
}

TEST_CASE("Prober: what this machine cannot do at all is told, and blames no server") {
  in_own_netns([] {
    run("sysctl -qw net.ipv4.ping_group_range='1 0'");
    Reports reports;
    Prober prober(reports.listener());
    prober.set_targets({quick_check("icmp")}, {{{"plain", kHere, 0}}});
    REQUIRE(prober.start());
    eventually([&] { return !prober.statuses().front().skipped.empty(); });
    CHECK(prober.statuses().front().state == CheckState::Unknown);
    CHECK(prober.statuses().front().is_up());
    CHECK(reports.contains("net.ipv4.ping_group_range"));
  });
}

TEST_CASE("Prober: without room for a thread it does not start") {
  const auto result = in_fresh_netns([]() -> std::string {
    const rlimit none{0, 0};
    require(::setrlimit(RLIMIT_NPROC, &none) == 0, "a limit");
    require(::setresuid(12'345, 12'345, 12'345) == 0, "to be somebody");
    Prober prober([](const HealthEvent&) {});
    const auto started = prober.start();
    require(!started, "it does not start");
    return started.error().message;
  });
  if (result) CHECK(result->starts_with("checks cannot be run: "));
}

TEST_CASE("Prober: many targets of all kinds, asked for from many threads") {
  in_own_netns([] {
    run("sysctl -qw net.ipv4.ping_group_range='0 0'");
    const TcpServer server(answer("HTTP/1.1 200 OK\r\n\r\n"));
    std::vector<CheckConfig> checks;
    std::vector<WantedTarget> wanted;
    for (const CheckKind& kind : check_kinds()) {
      CheckConfig check = quick_check(kind.name);
      check.name = kind.name;
      check.interval = check.timeout = 20s;
      // The server waits for an end of the request.
      if (check.kind == "https") check.interval = check.timeout = 200ms;
      if (check.kind == "udp") check.options["send"] = std::string("x");
      if (check.kind == "exec") check.options["command"] = std::vector<std::string>{"/bin/true"};
      for (std::uint32_t i = 1; i <= 20; ++i)
        wanted.push_back(
            {*target_of(check, Address::v4(0x7f00'0000 + i), server.port()), {}, false});
      checks.push_back(std::move(check));
    }
    const std::size_t before = open_descriptors();
    Reports reports;
    {
      Prober prober(reports.listener());
      prober.set_targets(checks, wanted);
      for (WantedTarget& each : wanted) {
        prober.set_awake(each.target, true);  // at once
        each.awake = true;
      }
      REQUIRE(prober.start());
      std::atomic<bool> stop = false;
      std::vector<std::thread> readers;
      for (int i = 0; i < 2; ++i)
        readers.emplace_back([&] {
          while (!stop) (void)prober.statuses();
        });
      eventually([&] {
        const auto statuses = prober.statuses();
        return std::all_of(statuses.begin(), statuses.end(),
                           [](const auto& each) { return each.last.has_value(); });
      });
      for (int i = 0; i < 20; ++i) {
        checks.front().fall = static_cast<std::uint32_t>(i % 5 + 1);
        prober.set_targets(checks, wanted);
      }
      stop = true;
      for (std::thread& reader : readers) reader.join();
      for (const TargetStatus& status : prober.statuses()) {
        const std::string& check = status.target.check;
        const bool passes = check != "https" && check != "udp";  // of which it is no server
        CAPTURE(to_string(status.target));
        CAPTURE(status.last->reason);
        CHECK(status.last->passed == passes);
      }
    }
    eventually([&] { return open_descriptors() <= before; });
  });
}
