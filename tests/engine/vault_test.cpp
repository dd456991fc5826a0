#include "engine/vault.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace nfsteer;

namespace {

std::atomic<std::uint64_t> number;

Vault make() {
  number = 0;
  return Vault::make(number).value();
}

Sources files(const char* path) {
  Sources made;
  made.path = path;
  return made;
}

}  // namespace

TEST_CASE("vault: what was staged is in force once it is committed") {
  Vault vault = make();
  CHECK(vault.number() == 0);
  Sources first = files("/etc/a.toml");
  first.contents["/etc/a.toml"] = "x = 1\n";
  first.contents["/etc/routes"];
  REQUIRE(vault.stage(first));
  vault.commit();
  CHECK(vault.number() == 1);
  CHECK(vault.current()->path == first.path);
  CHECK(vault.current()->contents == first.contents);

  Sources second = files("/etc/b.toml");
  second.contents["/etc/b.toml"].assign(300'000, '\0');
  REQUIRE(vault.stage(second));
  CHECK(vault.current()->contents == first.contents);  // not yet
  vault.commit();
  CHECK(vault.current()->contents == second.contents);
  CHECK(vault.previous()->contents == first.contents);

  REQUIRE(vault.stage(files("c")));  // shorter than what stood there
  vault.commit();
  CHECK(vault.current()->path == "c");
  CHECK(vault.current()->contents.empty());
  CHECK(vault.previous()->contents == second.contents);
}

TEST_CASE("vault: a process that dies while it writes leaves what was in force") {
  Vault vault = make();
  REQUIRE(vault.stage(files("kept")));
  vault.commit();
  Sources half = files("half");
  half.contents["half"].assign(1 << 20, 'x');
  const pid_t child = ::fork();
  if (child == 0) {
    (void)vault.stage(half);
    ::_exit(0);
  }
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK(vault.current()->path == "kept");
}
