#include "nfsteer/cli.hpp"

#include <doctest/doctest.h>

#include "run_cli.hpp"

namespace nfsteer {
namespace {

using test::run_cli;

constexpr const char* kCommands[] = {
#define COMMAND(name, function, summary) name,
#include "cli/commands.def"
#undef COMMAND
};

TEST_CASE("every command has help, and is in the program's") {
  const std::string all = run_cli({"--help"}).out;
  for (const std::string command : kCommands) {
    CAPTURE(command);
    const auto [exit, out, err] = run_cli({command, "-h"});
    CHECK(exit == Exit::Ok);
    CHECK(out.find("Usage: nfsteer " + command) != out.npos);
    CHECK(err.empty());
    CHECK(all.find("\n  " + command + " ") != all.npos);
  }
}

TEST_CASE("the version") {
  for (const char* flag : {"-V", "--version"}) {
    const auto [exit, out, err] = run_cli({flag});
    CHECK(exit == Exit::Ok);
    CHECK(out.starts_with("nfsteer "));
    CHECK(out.back() == '\n');
    CHECK(err.empty());
  }
}

TEST_CASE("wrong usage: exit code 2, nothing on stdout, one line that says why") {
  const struct {
    std::vector<std::string> arguments;
    const char* said;
  } cases[] = {
      {{"chek"}, "there is no command `chek`: did you mean `check`?"},
      {{"chek", "x.toml", "-q"}, "there is no command `chek`: did you mean `check`?"},
      {{"xyzzy"},
       "there is no command `xyzzy`: there are run, check, ruleset, status, reload, confirm, undo, "
       "diff, drain, undrain, maintenance, set, explain, replay, plan, affinity, "
       "flush"},
      {{"\033[2J"},
       "there is no command `\\x1b[2J`: there are run, check, ruleset, status, reload, confirm, "
       "undo, diff, drain, undrain, maintenance, set, explain, replay, plan, affinity, "
       "flush"},
      {{"--bogus"}, "The following argument was not expected: --bogus"},
      {{"status", "--bogus"}, "The following argument was not expected: --bogus"},
      {{"check"}, "FILE is required"},
      {{"check", "a", "b"}, "The following argument was not expected: b"},
      {{"run"}, "FILE is required"},
      {{"status", "--socket"}, "--socket: 1 required PATH missing"},
      {{"ruleset", "--remove", "x.toml"}, "FILE excludes --remove"},
      {{"flush"}, "flush what? There are cache, stats, flows, affinity, stale"},
      {{"flush", "--bogus"}, "flush what? There are cache, stats, flows, affinity, stale"},
      {{"flush", "cahce"}, "there is no command `cahce`: did you mean `cache`?"},
      {{"flush", "cache", "--group", "web"},
       "The following arguments were not expected: web --group"},
      {{"flush", "flows", "--server", "web"}, "--server: `web` is not of the form GROUP/SERVER"},
      {{"flush", "flows", "--server", "web/"}, "--server: `web/` is not of the form GROUP/SERVER"},
      {{"flush", "flows", "--server", "/web1"},
       "--server: `/web1` is not of the form GROUP/SERVER"},
      {{"flush", "flows", "--server", "web/web1", "--group", "web"}, "--group excludes --server"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.said);
    const auto [exit, out, err] = run_cli(row.arguments);
    CHECK(exit == Exit::Usage);
    CHECK(out.empty());
    CHECK(err == std::string("nfsteer: ") + row.said + "\n");
  }
}

TEST_CASE("a reader that has gone is no failure; a full disk is one") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Fd writer(ends[1]);
  ::close(ends[0]);
  const auto gone = run_cli({"--help"}, writer);
  CHECK(gone.exit == Exit::Ok);
  CHECK(gone.err.empty());

  const auto full = run_cli({"--help"}, Fd(::open("/dev/full", O_WRONLY | O_CLOEXEC)));
  CHECK(full.exit == Exit::Failed);
  CHECK(full.err == "nfsteer: the result cannot be written: No space left on device\n");
}

}  // namespace
}  // namespace nfsteer
