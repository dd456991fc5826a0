// The commands that ask a running engine: status and flush.
#include <doctest/doctest.h>

#include "../engine/fake_control.hpp"
#include "cli/status_text.hpp"
#include "run_cli.hpp"

namespace nfsteer {
namespace {

using test::run_cli;

TEST_CASE("status: what people read") {
  test::ServedSocket socket;
  const auto [exit, out, err] = run_cli({"status", "--socket", socket.path()});
  CHECK(exit == Exit::Ok);
  CHECK(err.empty());
  CHECK(out ==
        "nfsteer 0.1.0  steering  pid 812  up 3d 4h  configuration 7  engine start 2\n"
        "queues   0-1   waiting 8\n"
        "packets  received 131   accepted 76   dropped 28   rejected 19   passed 8\n"
        "errors   enobufs 3   truncated_ip 5\n"
        "cache    entries 41   hits 42   misses 43   evictions 44\n"
        "routes   entries 45   hits 46   misses 47   evictions 48\n"
        "flows    active 100   total 101   failed 102   packets 103   bytes 104\n"
        "conntrack entries 61 of 62   events 64   overruns 65   resyncs 66   deleted 69\n"
        "\n"
        "GROUP  ALGORITHM  FAILOVER  TIER     REQUESTS  NO SERVER  ACTIVE  FAILED  CLIENTS\n"
        "web    weighted   delayed   2 PANIC        76          1     200     202       21\n"
        "\n"
        "SERVER    ADDRESS               STATE  WEIGHT  SHARE  SELECTED  ACTIVE  FAILED    P5"
        "0   P99\n"
        "web/web1  10.2.0.1:8080         down      100   67 %        50     300     302  309u"
        "s  3.0s\n"
        "web/web6  [2001:db8:2::1]:8081  DRAIN      49   33 %        25     400     402  409u"
        "s  4.0s\n"
        "web/any   10.2.0.3              up          1    0 %         0       0       0      "
        "-     -\n"
        "\n"
        "SERVER    CHECK  SINCE   LAST    REASON\n"
        "web/web1  down   0s ago  0s ago  refused\n"
        "web/web6  up     -       -       200\n"
        "\n"
        "POLICY           PRIORITY  PACKETS  BYTES  LAST MATCH\n"
        "api                  -200       11    660  0s ago\n"
        "trial (dry run)         5       12    720  -\n"
        "\n"
        "TABLE  PRIORITY  ROUTES  PREFIX           TO    METRIC  PACKETS  BYTES\n"
        "main        101       9  10.9.9.0/24      web        6       14    840\n"
        "                         2001:db8:9::/48  drop       0       13    780\n"
        "spare        -1       0\n"
        "\n"
        "SCHEDULE  ACTIVE  NEXT CHANGE\n"
        "office    yes     2026-11-27T16:00:00Z\n"
        "never     no      never\n");
}

TEST_CASE("status: nothing to show is said, or left out") {
  Status status;
  status.version = "0.1.0";
  status.state = "steering";
  CHECK(status_text(status) ==
        "nfsteer 0.1.0  steering  pid 0  up 0s  configuration 1  engine start 1\n"
        "queues   none   waiting 0\n"
        "packets  received 0   accepted 0   dropped 0   rejected 0   passed 0\n"
        "errors   none\n");

  // A cache that was asked, or that holds something after `flush stats`.
  status.counted.cache.misses = 1;
  CHECK(status_text(status).ends_with("cache    entries 0   hits 0   misses 1   evictions 0\n"));
  status.counted.cache = {.entries = 1};
  CHECK(status_text(status).ends_with("cache    entries 1   hits 0   misses 0   evictions 0\n"));

  status.queues = {{.queue = 5, .errors = {{"enobufs", 0}}}};
  status.counted.groups = test::sample_status().counted.groups;
  status.counted.groups[0].selected = 0;
  const std::string text = status_text(status);
  CHECK(text.find("queues   5   waiting") != text.npos);
  CHECK(text.find("errors   none") != text.npos);
  CHECK(text.find("100      -        50") != text.npos);  // no share of no flows
}

TEST_CASE("status: uptimes in the two largest units") {
  constexpr struct {
    double seconds;
    const char* text;
  } kCases[] = {
      {-1, "up 0s "},
      {0.9, "up 0s "},
      {59, "up 59s "},
      {60, "up 1m 0s "},
      {3'599, "up 59m 59s "},
      {3'600, "up 1h 0m "},
      {86'399, "up 23h 59m "},
      {86'400, "up 1d 0h "},
      {8'640'000, "up 100d 0h "},
      {1e300, "up 11574074074d 1h "},
  };
  for (const auto& row : kCases) {
    Status status;
    status.uptime_s = row.seconds;
    CHECK_MESSAGE(status_text(status).find(row.text) != std::string::npos, row.text);
  }
}

TEST_CASE("status: when a policy last matched, as an age") {
  using namespace std::chrono_literals;
  Status status;
  status.counted.policies = test::sample_status().counted.policies;
  status.counted.policies[0].last_match = std::chrono::system_clock::now() - 125s;
  CHECK(status_text(status).find("660  2m ") != std::string::npos);
  status.counted.policies[0].last_match = Time::min();
  CHECK(status_text(status).find("d ") != std::string::npos);
}

TEST_CASE("status: of a table's routes the ten that most packets took") {
  Status status;
  status.counted.tables = test::sample_status().counted.tables;
  std::vector<RouteStatistics>& used = status.counted.tables[0].used;
  used.assign(11, used[0]);
  used[9].prefix = "the tenth";
  used[10].prefix = "the eleventh";
  const std::string text = status_text(status);
  CHECK(text.find("the tenth") != text.npos);
  CHECK(text.find("the eleventh") == text.npos);
}

TEST_CASE("status --json: the engine's object, and nothing else") {
  test::ServedSocket socket;
  const auto [exit, out, err] = run_cli({"status", "--json", "--socket", socket.path()});
  CHECK(exit == Exit::Ok);
  CHECK(out == Client(socket.path()).status_json().value() + "\n");
  CHECK(err.empty());
}

TEST_CASE("affinity: the clients, and how many there are") {
  test::ServedSocket socket;
  const auto [exit, out, err] = run_cli({"affinity", "--group", "web", "--socket", socket.path()});
  CHECK(exit == Exit::Ok);
  CHECK(err.empty());
  CHECK(socket.control.asked == "affinity group=web client=-");
  CHECK(out ==
        "GROUP  CLIENT        SERVER  AGE\n"
        "web    192.0.2.7/32  web1    12s\n"
        "31 clients, of which 1 are shown\n");

  const auto json = run_cli({"affinity", "--json", "--socket", socket.path()});
  CHECK(json.exit == Exit::Ok);
  CHECK(json.out == Client(socket.path()).affinity_json({}).value() + "\n");
  CHECK(
      run_cli({"affinity", "--group", "wbe", "--socket", socket.path()}).err.find("did you mean") !=
      std::string::npos);
}

TEST_CASE("flush: asks for it and says what was done") {
  const struct {
    std::vector<std::string> arguments;
    std::uint64_t flows;
    const char* asked;
    const char* said;
  } cases[] = {
      {{"cache"}, 0, "cache", "cache emptied\n"},
      {{"stats"}, 0, "stats", "counters set to zero\n"},
      {{"flows"}, 3, "flows group=- server=-", "3 flows deleted\n"},
      {{"flows"}, 0, "flows group=- server=-", "0 flows deleted\n"},
      {{"flows", "--group", "web"}, 1, "flows group=web server=-", "1 flow of group web deleted\n"},
      {{"affinity"}, 0, "flush affinity group=- client=-", "31 clients forgotten\n"},
      {{"affinity", "--group", "web", "--client", "192.0.2.0/24"},
       0,
       "flush affinity group=web client=192.0.2.0/24",
       "31 clients forgotten\n"},
      {{"stale"},
       0,
       "stale",
       "udp 192.0.2.7:1 -> 10.9.9.9:53: its server dns/ns1 is gone\n1 flow deleted\n"},
      {{"stale", "--dry-run"},
       0,
       "stale, dry run",
       "udp 192.0.2.7:1 -> 10.9.9.9:53: its server dns/ns1 is gone\n1 flow would be deleted\n"},
      {{"flows", "--server", "web/web1"},
       3,
       "flows group=- server=web/web1",
       "3 flows of web/web1 deleted\n"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.said);
    test::ServedSocket socket;
    socket.control.flows = row.flows;
    std::vector<std::string> arguments = row.arguments;
    arguments.insert(arguments.begin(), "flush");
    arguments.insert(arguments.end(), {"--socket", socket.path()});
    const auto [exit, out, err] = run_cli(arguments);
    CHECK(exit == Exit::Ok);
    CHECK(out == row.said);
    CHECK(err.empty());
    CHECK(socket.control.asked == row.asked);
  }
}

TEST_CASE("flush: what the engine refuses") {
  test::ServedSocket socket;
  const auto [exit, out, err] =
      run_cli({"flush", "flows", "--group", "wbe", "--socket", socket.path()});
  CHECK(exit == Exit::Failed);
  CHECK(out.empty());
  CHECK(err == "nfsteer: there is no group `wbe`: did you mean `web`?\n");
}

TEST_CASE("commands that change the engine: what they ask and say, and their exit codes") {
  const struct {
    std::vector<std::string> arguments;
    Exit exit;
    const char* asked;
    const char* out;
    const char* err;
  } kCases[] = {
      {{"reload"},
       Exit::Ok,
       "reload",
       "~ group.web.web1.weight 1 -> 2\nand 3 more\nconfiguration 7 in force after 250.0 ms: "
       "`nfsteer confirm` within 60 s, or the one before comes back\n",
       ""},
      {{"reload", "--confirm", "2m"},
       Exit::Ok,
       "reload confirm 120",
       "~ group.web.web1.weight 1 -> 2\nand 3 more\nconfiguration 7 in force after 250.0 ms: "
       "`nfsteer confirm` within 60 s, or the one before comes back\n",
       ""},
      {{"reload", "--confirm", "60"},
       Exit::Usage,
       "",
       "",
       "nfsteer: `60` is no duration: write 500ms, 30s, 5m, 2h or 1d\n"},
      {{"reload", "--confirm", "999ms"},
       Exit::Usage,
       "",
       "",
       "nfsteer: --confirm needs one second at least\n"},
      {{"confirm"}, Exit::Ok, "confirm", "confirmed\n", ""},
      {{"undo"}, Exit::Failed, "undo", "", "nfsteer: there is nothing to undo\n"},
      {{"diff", "/other"}, Exit::Differs, "diff /other", "+ group.dns\n", ""},
      {{"diff", "/same"}, Exit::Ok, "diff /same", "no difference\n", ""},
      {{"drain", "web/web1"},
       Exit::Ok,
       "set web/web1 drain",
       "web/web1  up -> drain   12 connections left\n",
       ""},
      {{"undrain", "web/web1"},
       Exit::Ok,
       "set web/web1 up",
       "web/web1  up -> up   12 connections left\n",
       ""},
      {{"maintenance", "web/wbe1"},
       Exit::Failed,
       "set web/wbe1 maintenance",
       "",
       "nfsteer: there is no server `web/wbe1`: did you mean `web/web1`?\n"},
      {{"set", "web/web1", "weight", "50%"},
       Exit::Ok,
       "set web/web1 weight 50%",
       "web/web1  weight 10 -> weight 5\n",
       "nfsteer: it is forgotten when nfsteer ends\n"},
      {{"set", "web", "algorithm", "hash"},
       Exit::Ok,
       "set web algorithm hash",
       "web  weighted -> hash\n",
       ""},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.arguments.front());
    CAPTURE(row.asked);
    test::ServedSocket socket;
    std::vector<std::string> arguments = row.arguments;
    arguments.insert(arguments.end(), {"--socket", socket.path()});
    const auto [exit, out, err] = run_cli(arguments);
    CHECK(exit == row.exit);
    CHECK(out == row.out);
    CHECK(err == row.err);
    CHECK(socket.control.asked == row.asked);
  }
}

TEST_CASE("reload: the mistakes of a rules file, and exit code 5") {
  test::ServedSocket socket;
  socket.control.invalid = "error: one\n --> rules.toml:1:1\n1 error.\n";
  for (std::vector<std::string> arguments :
       {std::vector<std::string>{"reload"}, {"reload", "--confirm", "60s"}}) {
    arguments.insert(arguments.end(), {"--socket", socket.path()});
    const auto [exit, out, err] = run_cli(arguments);
    CHECK(exit == Exit::ConfigInvalid);
    CHECK(out.empty());
    CHECK(err == socket.control.invalid);
  }
}

TEST_CASE("drain --wait: until the server has no connections, or the time is over") {
  test::ServedSocket socket;  // its web1 has 300, and keeps them
  const auto late =
      run_cli({"drain", "web/web1", "--wait", "--timeout", "1ms", "--socket", socket.path()});
  CHECK(late.exit == Exit::Failed);
  CHECK(late.out == "web/web1  up -> drain   12 connections left\nweb/web1  300 connections\n");
  CHECK(late.err == "nfsteer: web/web1 still has 300 connections\n");
  const auto done = run_cli({"drain", "web/any", "--wait", "--socket", socket.path()});
  CHECK(done.exit == Exit::Ok);
  CHECK(done.out.find("web/any  drained in 0.0 s\n") != std::string::npos);
  const auto gone = run_cli({"drain", "web/gone", "--wait", "--socket", socket.path()});
  CHECK(gone.exit == Exit::Failed);
  CHECK(gone.err == "nfsteer: there is no server `web/gone` any more\n");
}

// The kernel tells the server the uid that a thread has when it connects.
TEST_CASE("flush: other users are not permitted") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root can become another user");
    return;
  }
  test::ServedSocket socket;
  test::Outcome outcome;
  std::thread([&] {
    ::syscall(SYS_setresuid, -1L, 65'534L, -1L);  // of this thread alone
    outcome = run_cli({"flush", "cache", "--socket", socket.path()});
  }).join();
  CHECK(outcome.exit == Exit::NotPermitted);
  CHECK(outcome.err == "nfsteer: nfsteer.FlushCache is for root and for the engine's own user\n");
}

TEST_CASE("status and flush where no engine runs: exit code 3, and how to start one") {
  test::TemporaryDirectory directory;
  const std::string path = directory.file("none");
  const std::vector<std::vector<std::string>> commands = {
      {"status"}, {"status", "--json"}, {"flush", "cache"}, {"flush", "stats"}, {"flush", "flows"}};
  for (std::vector<std::string> arguments : commands) {
    arguments.insert(arguments.end(), {"--socket", path});
    const auto [exit, out, err] = run_cli(arguments);
    CHECK(exit == Exit::NotRunning);
    CHECK(out.empty());
    CHECK(err == "nfsteer: no engine answers at " + path +
                     ": start one with `nfsteer run FILE` or `systemctl start nfsteer`\n");
  }
}

TEST_CASE("without a command: status") {
  const test::Outcome alone = run_cli({}), named = run_cli({"status"});
  CHECK(alone.exit == named.exit);
  CHECK(alone.err == named.err);
}

}  // namespace
}  // namespace nfsteer
