// The commands that take a rules file: check, run and ruleset.
#include <doctest/doctest.h>

#include <algorithm>

#include "../engine/fake_control.hpp"
#include "run_cli.hpp"

namespace nfsteer {
namespace {

using test::kRules;
using test::run_cli;
using test::write_file;

TEST_CASE("check: a good file in one line") {
  test::TemporaryDirectory directory;
  const std::string file = write_file(directory.file("good.toml"), kRules);
  const auto [exit, out, err] = run_cli({"check", file});
  CHECK(exit == Exit::Ok);
  CHECK(out == file + ": ok   1 policy, 1 table (2 routes), 2 groups, 3 servers\n");
  CHECK(err.empty());
  for (const char* quiet : {"-q", "--quiet"}) {
    const test::Outcome silent = run_cli({"check", quiet, file});
    CHECK(silent.exit == Exit::Ok);
    CHECK(silent.out.empty());
    CHECK(silent.err.empty());
  }
}

TEST_CASE("check, run and ruleset: every mistake on stderr, and their number") {
  test::TemporaryDirectory directory;
  std::string many;
  for (int i = 0; i < 100; ++i) many += "x" + std::to_string(i) + " = 1\n";
  const std::string one = write_file(directory.file("one.toml"), "[engin]\n");
  const std::string two = write_file(directory.file("two.toml"), "[engin]\n[grup]\n");
  const std::string twenty = write_file(directory.file("many.toml"), many);
  const struct {
    std::string file, end;
  } cases[] = {
      {one, "\n1 error.\n"},
      {two, "\n2 errors.\n"},
      {twenty, "\nMore than 20 errors.\n"},
      {directory.file("none"), "\n1 error.\n"},
  };
  for (const auto& row : cases)
    for (const char* command : {"check", "run", "ruleset"}) {
      CAPTURE(row.file);
      const auto [exit, out, err] = run_cli({command, row.file});
      CHECK(exit == Exit::ConfigInvalid);
      CHECK(out.empty());
      CHECK(err.starts_with("error: "));
      CHECK(err.find(row.file) != err.npos);
      CHECK(err.ends_with(row.end));
    }
}

TEST_CASE("check: --quiet keeps no error back") {
  test::TemporaryDirectory directory;
  const std::string file = write_file(directory.file("bad.toml"), "[engin]\n");
  const auto [exit, out, err] = run_cli({"check", "-q", file});
  CHECK(exit == Exit::ConfigInvalid);
  CHECK(err.find("did you mean") != err.npos);
}

TEST_CASE("ruleset: the table of a file, or the bare one") {
  test::TemporaryDirectory directory;
  const std::string file = write_file(directory.file("good.toml"), kRules);
  const test::Outcome full = run_cli({"ruleset", file}), bare = run_cli({"ruleset"});
  for (const test::Outcome* printed : {&full, &bare}) {
    CHECK(printed->exit == Exit::Ok);
    CHECK(printed->out.find("table inet nfsteer") != std::string::npos);
    CHECK(printed->err.empty());
  }
  CHECK(full.out.find("10.2.0.1") != std::string::npos);
  CHECK(bare.out.find("10.2.0.1") == std::string::npos);
}

TEST_CASE("run and ruleset --remove without the right to: exit code 4") {
  test::TemporaryDirectory directory;
  const std::string file = write_file(directory.file("good.toml"), kRules);
  test::Outcome run, remove;
  test::without_network_rights([&] {
    run = run_cli({"run", file, "--socket", directory.file("s")});
    remove = run_cli({"ruleset", "--remove"});
  });
  CHECK(run.exit == Exit::NotPermitted);
  CHECK(run.err ==
        "nfsteer: CAP_NET_ADMIN is needed to bind packet queues: run as root, or with "
        "AmbientCapabilities=CAP_NET_ADMIN\n");
  CHECK(remove.exit == Exit::NotPermitted);
  CHECK(remove.err == "nfsteer: CAP_NET_ADMIN is needed to change the ruleset: run as root\n");
  CHECK_FALSE(std::filesystem::exists(directory.file("s")));
}

}  // namespace
}  // namespace nfsteer
