// exec: programs, good and hostile, as root and as a user, with namespaces and without.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <thread>

#include "../config/rules_text.hpp"
#include "probing.hpp"
#include "servers.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

using Texts = std::vector<std::string>;

const Address kServer = *parse_address("192.0.2.7");

CheckConfig command(Texts argv) {
  return check_of("exec", {{"command", std::move(argv)}});
}
CheckConfig shell(const std::string& script) {
  return command({"/bin/sh", "-c", script, "check", "{address}", "{port}"});
}

std::string outcome(const std::string& script, std::chrono::milliseconds limit = 20s) {
  Laboratory laboratory;
  return laboratory.outcome(shell(script), kServer, 8'080, limit);
}

// Living processes with the word among their arguments.
std::size_t processes_with(const std::string& word) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    const std::string arguments{std::istreambuf_iterator<char>(file), {}};
    if (arguments.find(word) != std::string::npos) ++count;
  }
  return count;
}

bool vanish(const std::string& word) {
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (processes_with(word) > 0 && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(2ms);
  return processes_with(word) == 0;
}

// Who runs the programs, and with what.
enum class Place { Root, User, Pinned };
constexpr Place kPlaces[] = {Place::Root, Place::User, Place::Pinned};

#if defined(__x86_64__) || defined(__aarch64__)
// As a service's sandbox may have it: no namespaces.
void forbid_namespaces() {
  const sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWPID | CLONE_NEWUSER, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{std::size(filter), const_cast<sock_filter*>(filter)};
  require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
  require(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "a filter");
}
#endif

void go_to(Place place) {
  if (place == Place::Pinned) forbid_namespaces();
  if (place == Place::Root) return;
  // Whose processes are counted with nobody else's.
  const uid_t somebody = 100'000 + static_cast<uid_t>(::getpid());
  require(::setgroups(0, nullptr) == 0, "no groups");
  require(::setresgid(somebody, somebody, somebody) == 0, "to be somebody");
  require(::setresuid(somebody, somebody, somebody) == 0, "to be somebody");
  require(::prctl(PR_SET_DUMPABLE, 1) == 0, "as who was never anybody else");
}

// What `work` returns at each place.
std::vector<std::string> everywhere(const std::function<std::string()>& work) {
  std::vector<std::string> results;
  for (const Place place : kPlaces) {
    const auto result = in_fresh_netns([&] {
      go_to(place);
      return work();
    });
    if (result) results.push_back(*result);
  }
  return results;
}

}  // namespace

TEST_CASE("exec: exit code, signal and the first line decide") {
  static const struct {
    const char* script;
    const char* want;
  } kCases[] = {
      {"exit 0", "passed: exit 0"},
      {"echo fine; echo more", "passed: fine"},
      {"echo fine >&2", "passed: fine"},
      {"exit 2", "failed: exit 2"},
      {"echo no answer; exit 2", "failed: exit 2: no answer"},
      {"sh -c 'kill -9 $$'; exit $?", "failed: exit 137: Killed"},
      {"printf 'a\\001\\377b'", "passed: a\\x01\\xffb"},
      {"printf '\\n\\n'", "passed: exit 0"},
      {"echo $1 $2", "passed: 192.0.2.7 8080"},
      {"echo $PATH", "passed: /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
      {"env | grep -v -e ^PATH= -e ^LANG= -e ^PWD= -e ^_=", "failed: exit 1"},
      {"read line; echo end", "passed: end"},
      {"pwd", "passed: /"},
      {"umask", "passed: 0022"},
      {"ls /proc/self/fd | tr '\\n' ' '", "passed: 0 1 2 3 "},  // 3: of ls itself
      {"ulimit -c", "passed: 0"},
      {"cat /proc/self/oom_score_adj", "passed: 1000"},
      {"grep -e ^SigBlk -e ^SigIgn /proc/self/status | tr -d '\\n'",
       "passed: SigBlk:\\x090000000000000000SigIgn:\\x090000000000000000"},
      {"grep -e ^CapEff -e ^NoNewPrivs /proc/self/status | tr -d '\\n'",
       "passed: CapEff:\\x090000000000000000NoNewPrivs:\\x091"},
  };
  const auto results = everywhere([] {
    std::string wrong;
    for (const auto& row : kCases) {
      const std::string got = outcome(row.script);
      if (got != row.want) wrong += std::string(row.script) + ": " + got + "\n";
    }
    return wrong;
  });
  for (const std::string& wrong : results) CHECK(wrong == "");
}

TEST_CASE("exec: the parent's signals and descriptors are not the program's") {
  if (::geteuid() != 0) return;
  const auto result = in_fresh_netns([]() -> std::string {
    ::prctl(PR_SET_DUMPABLE, 1);  // tests that became another user took it away
    ::signal(SIGTERM, SIG_IGN);
    ::signal(SIGUSR1, [](int) {});
    sigset_t some;
    ::sigemptyset(&some);
    ::sigaddset(&some, SIGUSR2);
    ::sigprocmask(SIG_BLOCK, &some, nullptr);
    const int kept = ::dup(0);
    ::close(0);  // standard input may be closed, and be a pipe then
    const std::string told = outcome(
        "grep -e ^SigBlk -e ^SigIgn /proc/self/status | tr -dc 1-9; echo; ls "
        "/proc/self/fd | tr '\\n' ' '");
    sigset_t after;
    ::sigprocmask(SIG_BLOCK, nullptr, &after);
    require(::sigismember(&after, SIGUSR2) == 1 && ::sigismember(&after, SIGTERM) == 0, "own mask");
    require(::prctl(PR_GET_DUMPABLE) == 1, "dumpable as before");
    ::close(kept);
    return told;
  });
  if (result) CHECK(*result == "passed: exit 0");  // the first line is empty
}

TEST_CASE("exec: it runs as the user that it should be") {
  if (::geteuid() != 0) return;
  const auto id_of = [](std::optional<std::string> user) {
    CheckConfig check = shell("echo $(id -u) $(id -g) $(id -G)");
    if (user) check.options["user"] = *user;
    Laboratory laboratory;
    return laboratory.outcome(check, kServer, 80);
  };
  const passwd* const nobody = ::getpwnam("nobody");
  const std::string ids = std::to_string(nobody->pw_uid) + " " + std::to_string(nobody->pw_gid);
  CHECK(id_of({}) == "passed: " + ids + " " + std::to_string(nobody->pw_gid));
  const passwd* const daemon = ::getpwnam("daemon");
  const std::string other = std::to_string(daemon->pw_uid) + " " + std::to_string(daemon->pw_gid);
  CHECK(id_of("daemon") == "passed: " + other + " " + std::to_string(daemon->pw_gid));

  const auto result = in_fresh_netns([&]() -> std::string {
    go_to(Place::User);
    const auto made = k_check_exec.make(
        check_of("exec", {{"command", Texts{"/bin/true"}}, {"user", std::string("daemon")}}));
    require(!made, "no other user");
    const std::string own = std::to_string(::geteuid());
    require(made.error().message == "to become user `daemon` needs root, and the user is " + own,
            "says who it is");
    require(id_of({}) == "passed: " + own + " " + own + " " + own, "stays who it is");
    return "";
  });
  if (result) CHECK(*result == "");
}

TEST_CASE("exec: what cannot be run is not the server's failure") {
  const TemporaryFolder folder;
  folder.write("vanishes", "#!/bin/sh\n");
  const std::string path = folder / "vanishes";
  fs::permissions(fs::path(path).parent_path(), fs::perms(0755));
  fs::permissions(path, fs::perms(0755));
  Laboratory laboratory;
  const auto check = ready(command({path}));
  CHECK(laboratory.probe(*check, {"plain", kServer, 0})->outcome == ProbeOutcome::Passed);
  fs::permissions(path, fs::perms(0644));
  CHECK(laboratory.probe(*check, {"plain", kServer, 0})->reason ==
        path + " cannot be run: execve: Permission denied");
  fs::remove(path);
  const auto end = laboratory.probe(*check, {"plain", kServer, 0});
  CHECK(end->outcome == ProbeOutcome::Skipped);
  CHECK(end->reason == path + " cannot be run: execve: No such file or directory");
}

TEST_CASE("exec: at its end all that it started has gone") {
  static const struct {
    const char* remark;
    const char* script;
    const char* want;  // "silent": it has to be ended
  } kCases[] = {
      {"a helper that stays", "sleep $0 & exit 0", "passed: exit 0"},
      {"that keeps the output", "sleep $0 & echo fine", "passed: fine"},
      {"a daemon", "setsid sh -c \"sleep $0 &\" & wait; echo fine", "passed: fine"},
      {"who hides", "(setsid setsid sleep $0 >/dev/null 2>&1 </dev/null &) ; exit 1",
       "failed: exit 1"},
      {"who does not end", "sleep $0", "silent"},
      {"who ignores signals", "trap '' TERM INT HUP QUIT USR1; sleep $0; sleep $0", "silent"},
      {"a family", "for i in 1 2 3 4 5; do (sleep $0; sleep $0) & done; wait", "silent"},
      {"a daemon besides", "setsid sleep $0 & setsid sleep $0 & wait", "silent"},
      {"who stops", "kill -STOP $$; sh -c 'kill -STOP $$; sleep $0'; sleep $0", "silent"},
  };
  const auto results = everywhere([] {
    std::string wrong;
    for (const auto& row : kCases) {
      // Seconds to sleep that nobody else sleeps.
      const std::string word = "987" + std::to_string(::getpid());
      CheckConfig check = command({"/bin/sh", "-c", row.script, word});
      Laboratory laboratory;
      const std::string got = laboratory.outcome(
          check, kServer, 0, row.want == std::string("silent") ? 300ms : 20'000ms);
      if (got != row.want) wrong += std::string(row.remark) + ": " + got + "\n";
      if (!vanish(word)) wrong += std::string(row.remark) + ": it is there\n";
    }
    return wrong;
  });
  for (const std::string& wrong : results) CHECK(wrong == "");
}

TEST_CASE("exec: a fork bomb is bounded, and goes") {
  const auto results = everywhere([]() -> std::string {
    const std::string word = "bomb" + std::to_string(::getpid());
    const auto check = ready(command({"/usr/bin/perl", "-e", "fork while 1", word}));
    Laboratory laboratory;
    auto probe = check->start(laboratory.room(), {"plain", kServer, 0}, [](const ProbeEnd&) {});
    std::size_t most = 0;
    for (int i = 0; i < 20; ++i) {
      laboratory.io().run_for(20ms);
      most = std::max(most, processes_with(word));
    }
    probe.reset();
    laboratory.settle();
    require(most >= 10, "it is a bomb");
    require(most <= 2 * Children::kProcessesMax + 10, "it is bounded");
    return vanish(word) ? "" : "it is there";
  });
  for (const std::string& wrong : results) CHECK(wrong == "");
}

TEST_CASE("exec: a gigabyte of output is cut") {
  const std::size_t before = resident_kib();
  Laboratory laboratory;
  const auto check = command({"/usr/bin/head", "-c", "1G", "/dev/zero"});
  const std::string got = laboratory.outcome(check, kServer, 0, 600s);
  std::string zeros;
  for (int i = 0; i < 120; ++i) zeros += "\\x00";
  CHECK(got == "passed: " + zeros + "...");
  CHECK(resident_kib() < before + 8 * 1'024);
}

TEST_CASE("exec: many at once, and nothing is left of them") {
  Laboratory laboratory;
  const auto check = ready(shell("sleep 0.1; exit 3"));
  laboratory.probe(*check, {"plain", kServer, 0});
  const std::size_t before = open_descriptors();
  std::vector<std::unique_ptr<Probe>> probes;
  int failed_so = 0;
  for (int i = 0; i < 100; ++i)
    probes.push_back(
        check->start(laboratory.room(), {"plain", kServer, 0},
                     [&](const ProbeEnd& end) { failed_so += end.reason == "exit 3" ? 1 : 0; }));
  laboratory.settle();
  CHECK(failed_so == 100);
  probes.clear();
  CHECK(open_descriptors() == before);
  CHECK(::waitpid(-1, nullptr, WNOHANG | __WALL) == -1);  // nobody is left to wait for
}

TEST_CASE("exec: who goes away at once takes its processes along") {
  const std::string word = "876" + std::to_string(::getpid());
  {
    Laboratory laboratory;
    const auto check = ready(command({"/bin/sh", "-c", "sleep $0 & sleep $0", word}));
    std::vector<std::unique_ptr<Probe>> probes;
    for (int i = 0; i < 10; ++i)
      probes.push_back(
          check->start(laboratory.room(), {"plain", kServer, 0}, [](const ProbeEnd&) {}));
    const auto until = std::chrono::steady_clock::now() + 60s;
    while (processes_with(word) < 10 && std::chrono::steady_clock::now() < until)
      laboratory.io().run_for(10ms);
    CHECK(processes_with(word) >= 10);
    probes.clear();
  }
  CHECK(vanish(word));
  CHECK(::waitpid(-1, nullptr, WNOHANG | __WALL) == -1);
}

TEST_CASE("exec: programs end with the process that runs them") {
  const std::string word = "765" + std::to_string(::getpid());
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    Laboratory laboratory;
    const auto check = ready(command({"/bin/sleep", word}));
    const auto probe =
        check->start(laboratory.room(), {"plain", kServer, 0}, [](const ProbeEnd&) {});
    laboratory.io().run_for(1h);
    ::_exit(0);
  }
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (processes_with(word) == 0 && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(2ms);
  CHECK(processes_with(word) == 1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(vanish(word));
}
