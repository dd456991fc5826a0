// An engine without packets, for tests of what talks to one: answers from
// values, notes what it was asked, and serves a real socket in a thread.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

#include "engine/control_server.hpp"
#include "engine/listener.hpp"

namespace nfsteer::test {

// Waits for a condition; the limit is only reached where it never holds.
inline bool eventually(const std::function<bool()>& condition) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < limit) {
    if (condition()) return true;
    std::this_thread::yield();
  }
  return false;
}

// A directory of its own that every user may enter, gone with its content at
// the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "nfsteer-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    REQUIRE(::chmod(name.c_str(), 0755) == 0);
    path_ = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// A status with a value in every place, no two alike.
inline Status sample_status() {
  return {
      .version = "0.1.0",
      .pid = 812,
      .generation = 7,
      .starts = 2,
      .uptime_s = 273'600.5,
      .state = "steering",
      .queues = {{.queue = 0,
                  .received = 100,
                  .accepted = 60,
                  .dropped = 20,
                  .rejected = 15,
                  .passed = 5,
                  .errors = {{"enobufs", 3}, {"truncated_ip", 4}},
                  .waiting = 6},
                 {.queue = 1,
                  .received = 31,
                  .accepted = 16,
                  .dropped = 8,
                  .rejected = 4,
                  .passed = 3,
                  .errors = {{"truncated_ip", 1}},
                  .waiting = 2}},
      .groups = {{.name = "web",
                  .algorithm = "weighted",
                  .requests = 76,
                  .selected = 75,
                  .failed = 1,
                  .servers = {{"web1", "10.2.0.1", 8080, 1, 100, "up", 50},
                              {"web6", "2001:db8:2::1", 8081, 2, 49, "up", 25},
                              {"any", "10.2.0.3", std::nullopt, 3, 1, "up", 0}}}},
      .policies = {{.name = "api", .priority = -200, .packets = 11, .bytes = 660}},
      .tables = {{.name = "main", .priority = 101, .routes = 9}},
      .cache = {.entries = 41, .hits = 42, .misses = 43, .evictions = 44},
  };
}

class FakeControl : public Control {
 public:
  Status status() override {
    if (broken) throw std::runtime_error("a library failed");
    return answer;
  }
  void flush_cache() override { asked = "cache"; }
  void flush_stats() override { asked = "stats"; }
  Result<FlushedFlows> flush_flows(const std::optional<std::string>& group,
                                   const std::optional<std::string>& server) override {
    asked = "flows group=" + group.value_or("-") + " server=" + server.value_or("-");
    if (group == "wbe") return fail("there is no group `wbe`: did you mean `web`?");
    return FlushedFlows{.flows = flows};
  }

  // Set before the server runs, or by the test's only client between calls.
  Status answer = sample_status();
  std::uint64_t flows = 3;
  bool broken = false;
  std::string asked;
};

// A control socket that is served in a thread of its own.
class ServedSocket {
 public:
  explicit ServedSocket(std::chrono::milliseconds idle = kIdle)
      : server_(listen(path()), control, idle), thread_([this] { server_.run(); }) {}
  ~ServedSocket() {
    server_.stop();
    thread_.join();
  }

  std::string path() const { return directory_.file("control.sock"); }

  FakeControl control;

 private:
  static Fd listen(const std::string& path) {
    auto listener = listen_control(path);
    REQUIRE_MESSAGE(listener, listener.error().message);
    return *std::move(listener);
  }

  TemporaryDirectory directory_;
  ControlServer server_;
  std::thread thread_;
};

}  // namespace nfsteer::test
