// explain: by a rules file, and by a running engine.
#include <doctest/doctest.h>

#include <algorithm>

#include "../engine/fake_control.hpp"
#include "cli/explanation_text.hpp"
#include "nfsteer/base/text.hpp"
#include "run_cli.hpp"

namespace nfsteer {
namespace {

using test::kRules;
using test::run_cli;
using test::write_file;

TEST_CASE("explain -c: what people read") {
  test::TemporaryDirectory directory;
  const std::string file = write_file(directory.file("good.toml"), kRules);
  test::without_network_rights([&] {
    const auto [exit, out, err] =
        run_cli({"explain", "-c", file, "tcp", "192.0.2.7:40000", "10.9.9.9:443", "--iif",
                 "br-guest", "--at", "2026-11-27T22:10:00Z"});
    CHECK(exit == Exit::Ok);
    CHECK(err.empty());
    CHECK(out ==
          "flow    tcp 192.0.2.7:40000 -> 10.9.9.9:443, iif br-guest\n"
          "time    2026-11-27T22:10:00Z\n"
          "\n"
          "STEP       NAME                       OUTCOME   WHY\n"
          "policy     ssh                        no match  dport 443 is not 22\n"
          "table      main                       taken     priority 0, 2 routes\n"
          "route      10.9.9.9/32                taken     metric 0, to group web\n"
          "group      web                        taken     round-robin (each server in turn), "
          "2 servers for IPv4\n"
          "server     web/web1                   taken     10.2.0.1:8080, weight 1\n"
          "otherwise  route 10.9.9.0/24 of main  next      if group web had no IPv4 server: "
          "metric 0, to group dns\n"
          "\n"
          "answer  steer to web/web1\n"
          "kernel  ct mark 0x00100000/0xfff00000, dnat to 10.2.0.1:8080\n");
  });
}

TEST_CASE("explain -c --json: the names that programs read") {
  test::TemporaryDirectory directory;
  const std::string file = write_file(directory.file("good.toml"), kRules);
  const auto [exit, out, err] = run_cli(
      {"explain", "--json", "-c", file, "tcp", "192.0.2.7:40000", "10.9.9.9:22", "--at", "12:00"});
  CHECK(exit == Exit::Ok);
  CHECK(err.empty());
  for (const char* part :
       {"\"schema\": 1,", "\"action\": \"accept\",", "\"policy\": \"ssh\",", "\"table\": null,",
        "\"route\": null,", "\"group\": null,", "\"server\": null,", "\"address\": null,",
        "\"port\": null,", "\"mark\": 4293918720,", "\"steps\": [\n"})
    CHECK_MESSAGE(out.find(part) != out.npos, part);
  CHECK(out.ends_with("}\n"));
}

TEST_CASE("explain: asks the engine") {
  test::ServedSocket socket;
  std::vector<std::string> arguments = {"explain", "--socket",    socket.path(),
                                        "tcp",     "10.0.0.1:40", "203.0.113.10:443"};
  const auto text = run_cli(arguments);
  CHECK(text.exit == Exit::Ok);
  CHECK(text.err.empty());
  CHECK(text.out == explanation_text(test::sample_explanation()));
  CHECK(socket.control.asked == "explain tcp 10.0.0.1:40 203.0.113.10:443");

  arguments.insert(arguments.end(), {"--json", "--iif", "a", "--oif", "b", "--mark", "16", "--uid",
                                     "0", "--gid", "0", "--at", "23:10"});
  const auto json = run_cli(arguments);
  CHECK(json.exit == Exit::Ok);
  CHECK(json.out == json_of(test::sample_explanation()) + "\n");
  CHECK(socket.control.asked ==
        "explain tcp 10.0.0.1:40 203.0.113.10:443 iif=a oif=b mark=16 uid=0 gid=0 at=23:10");

  run_cli({"explain", "--socket", socket.path(), "icmp 10.0.0.1 10.0.0.2", "--icmp-type", "8"});
  CHECK(socket.control.asked == "explain icmp 10.0.0.1 10.0.0.2 icmp_type=8");
}

TEST_CASE("explain: what is wrong, and the exit code") {
  test::TemporaryDirectory directory;
  const std::string good = write_file(directory.file("good.toml"), kRules);
  const std::string bad = write_file(directory.file("bad.toml"), "[grop.web]\n");
  const std::string none = directory.file("none");
  const struct {
    std::vector<std::string> arguments;
    Exit exit;
    const char* said;
  } cases[] = {
      {{"-c", good}, Exit::Usage, "FLOW is required"},
      {{"-c", good, "tcp", "10.0.0.1:1"}, Exit::Usage, "a flow is a protocol, a source and"},
      {{"-c", good, "tcp", "10.0.0.1", "10.0.0.2:2"}, Exit::Usage, "`10.0.0.1` has no port"},
      {{"-c", good, "gre", "10.0.0.1", "10.0.0.2", "--icmp-type", "8"},
       Exit::Usage,
       "icmp_type: a flow of gre has none"},
      {{"-c", good, "gre", "10.0.0.1", "10.0.0.2", "--at", "soon"},
       Exit::Usage,
       "at: `soon` is not a moment"},
      {{"-c", good, "--socket", none, "gre", "10.0.0.1", "10.0.0.2"},
       Exit::Usage,
       "--config excludes --socket"},
      {{"-c", bad, "gre", "10.0.0.1", "10.0.0.2"}, Exit::ConfigInvalid, "unknown key `grop`"},
      {{"-c", none, "gre", "10.0.0.1", "10.0.0.2"}, Exit::ConfigInvalid, "No such file"},
      {{"--socket", none, "gre", "10.0.0.1", "10.0.0.2"}, Exit::NotRunning, "no engine answers"},
      {{"--socket", none, "gre", "10.0.0.1"}, Exit::Usage, "a flow is a protocol, a source and"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.said);
    std::vector<std::string> arguments = row.arguments;
    arguments.insert(arguments.begin(), "explain");
    const auto [exit, out, err] = run_cli(arguments);
    CHECK(exit == row.exit);
    CHECK(out.empty());
    CHECK(err.find(row.said) != err.npos);
  }
}

TEST_CASE("explain: of many steps that lead nowhere the last are shown") {
  Explanation many;
  many.flow = "gre 10.0.0.1 -> 10.0.0.2";
  many.at = "2026-11-27T22:10:00Z";
  many.action = "accept";
  many.kernel = "ct mark 0xfff00000/0xfff00000, goes on as it is";
  for (int i = 0; i < 30; ++i)
    many.steps.push_back({"policy", format("p{}", i), "no match", "proto gre is not tcp"});
  many.steps.push_back({"policy", "all", "taken", "every flow"});
  many.policies_left_out = 12'335;
  many.policies_not_reached = 1;
  const std::string text = explanation_text(many);
  CHECK(std::count(text.begin(), text.end(), '\n') == 3 + 1 + 1 + 20 + 2 + 3);
  CHECK(
      text.starts_with("flow    gre 10.0.0.1 -> 10.0.0.2\n"
                       "time    2026-11-27T22:10:00Z\n"
                       "\n"
                       "STEP    NAME  OUTCOME   WHY\n"
                       "policy  ...             12345 before are not shown\n"
                       "        p10   no match  proto gre is not tcp\n"));
  CHECK(
      text.ends_with("        p29   no match  proto gre is not tcp\n"
                     "        all   taken     every flow\n"
                     "        ...             1 policy behind it\n"
                     "\n"
                     "answer  accept\n"
                     "kernel  ct mark 0xfff00000/0xfff00000, goes on as it is\n"));
}

}  // namespace
}  // namespace nfsteer
