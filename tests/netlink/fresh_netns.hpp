// A network namespace for one piece of a test, and programs run in it.
#pragma once

#include <doctest/doctest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

namespace nfsteer::testing {

// Runs a program by the shell; returns what it wrote to standard output. What
// it is given on standard input is written to a file before.
inline std::string run(const std::string& command, const std::string& input = {}) {
  std::FILE* file = std::tmpfile();
  if (file == nullptr) throw std::runtime_error("no temporary file");
  std::fwrite(input.data(), 1, input.size(), file);
  std::rewind(file);
  const std::string redirected = "( " + command + " ) </dev/fd/" + std::to_string(::fileno(file));
  std::FILE* pipe = ::popen(redirected.c_str(), "re");
  std::string output;
  std::array<char, 4096> bytes;
  while (const std::size_t count = std::fread(bytes.data(), 1, bytes.size(), pipe))
    output.append(bytes.data(), count);
  const int status = ::pclose(pipe);
  std::fclose(file);
  if (status != 0) throw std::runtime_error(command + " failed: " + output);
  return output;
}

// The body of the child process of in_fresh_netns(): the exit code says how the
// text that goes into the pipe is meant.
enum ChildExit { kReturned = 0, kThrew = 1, kNotPermitted = 77 };

inline ChildExit work_in_child(const std::function<std::string()>& work, int pipe) {
  if (::unshare(CLONE_NEWNET) != 0) return kNotPermitted;
  ChildExit exit = kReturned;
  std::string result;
  try {
    result = work();
  } catch (const std::exception& error) {
    result = error.what();
    exit = kThrew;
  }
  for (std::size_t at = 0; at < result.size();) {
    const ssize_t written = ::write(pipe, result.data() + at, result.size() - at);
    if (written < 0) return kThrew;
    at += static_cast<std::size_t>(written);
  }
  return exit;
}

// Runs `work` in a child process that has a network namespace of its own, and
// returns what it returned: checks are up to the caller. What it throws fails
// the test. nullopt, and a loud word, where a namespace is not permitted.
inline std::optional<std::string> in_fresh_netns(const std::function<std::string()>& work) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(work_in_child(work, ends[1]));
  ::close(ends[1]);
  std::string result;
  std::array<char, 4096> bytes;
  for (ssize_t count; (count = ::read(ends[0], bytes.data(), bytes.size())) > 0;)
    result.append(bytes.data(), static_cast<std::size_t>(count));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNotPermitted) {
    MESSAGE("SKIPPED: a network namespace needs root");
    return std::nullopt;
  }
  if (WEXITSTATUS(status) != kReturned) FAIL(result);
  return result;
}

}  // namespace nfsteer::testing
