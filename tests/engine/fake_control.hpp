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

inline Time moment(const char* text) {
  return parse_moment(text, Time()).value();
}

// No two numbers alike, from `first` on.
inline TrafficStatistics sample_traffic(std::uint64_t first) {
  return {.active = first,
          .total = first + 1,
          .failed = first + 2,
          .packets = first + 3,
          .bytes = first + 4,
          .latency_us = {.samples = first + 5,
                         .avg_us = first + 6,
                         .min_us = first + 7,
                         .max_us = first + 8,
                         .p50_us = first + 9,
                         .p90_us = 1'000 * first,
                         .p99_us = 10'000 * first},
          .last_flow = moment("2126-11-27T22:10:00Z") + std::chrono::seconds(first)};
}

inline std::vector<ServerStatistics> sample_servers() {
  return {{.name = "web1",
           .address = "10.2.0.1",
           .port = 8080,
           .id = 1,
           .weight = 100,
           .state = "up",
           .health = "down",
           .check = CheckStatistics{moment("2126-11-27T22:10:03Z"), moment("2126-11-27T22:10:01Z"),
                                    "refused"},
           .ejected = true,
           .selected = 50,
           .traffic = sample_traffic(300)},
          {.name = "web6",
           .address = "2001:db8:2::1",
           .port = 8081,
           .id = 2,
           .weight = 49,
           .state = "drain",
           .health = "up",
           .check = CheckStatistics{{}, {}, "200"},
           .ejected = false,
           .selected = 25,
           .traffic = sample_traffic(400)},
          {.name = "any",
           .address = "10.2.0.3",
           .port = {},
           .id = 3,
           .weight = 1,
           .state = "up",
           .health = "unknown",
           .check = {},
           .ejected = false,
           .selected = 0,
           .traffic = {}}};
}

// A status with a value in every place, no two alike. What is told as an age lies
// in the future, so that it is none.
inline Status sample_status() {
  return {
      .version = "0.1.0",
      .pid = 812,
      .generation = 7,
      .starts = 2,
      .uptime_s = 273'600.5,
      .state = "steering",
      .reloads = 53,
      .reloads_failed = 54,
      .ruleset_repairs = 55,
      .fallback_updates = 56,
      .snapshots = 2,
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
      .counted = {.traffic = sample_traffic(100),
                  .groups = {{.name = "web",
                              .algorithm = "weighted",
                              .failover = "delayed",
                              .panic = true,
                              .tier = 2,
                              .requests = 76,
                              .selected = 75,
                              .failed = 1,
                              .traffic = sample_traffic(200),
                              .affinity = AffinityStatistics{21, 22},
                              .servers = sample_servers()}},
                  .policies = {{"api", -200, false, 11, 660, moment("2126-11-27T22:10:00Z")},
                               {"trial", 5, true, 12, 720, std::nullopt}},
                  .tables = {{"main",
                              101,
                              9,
                              {{"10.9.9.0/24", "web", 6, 2, 14, 840},
                               {"2001:db8:9::/48", "drop", 0, 1, 13, 780}}},
                             {"spare", -1, 0, {}}},
                  .schedules = {{"office", true, moment("2026-11-27T16:00:00Z")},
                                {"never", false, std::nullopt}},
                  .failover = {{"ejected", 51}, {"panic", 52}},
                  .cache = {.entries = 41, .hits = 42, .misses = 43, .evictions = 44},
                  .route_cache = {.entries = 45, .hits = 46, .misses = 47, .evictions = 48}},
      .conntrack = {.entries = 61,
                    .max = 62,
                    .flows = 63,
                    .events = 64,
                    .overruns = 65,
                    .resyncs = 66,
                    .unknown = 67,
                    .broken = 68,
                    .deleted = 69},
  };
}

// An explanation with a value in every place, no two alike.
inline Explanation sample_explanation() {
  return {
      .flow = "tcp 192.0.2.7:40000 -> 203.0.113.10:443",
      .at = "2026-11-27T22:10:00Z",
      .action = "steer",
      .policy = "api",
      .table = "main",
      .route = RouteTaken{"203.0.113.0/24", 10, 2},
      .group = "web",
      .server = "web/web1",
      .address = "10.2.0.1",
      .port = 8080,
      .mark = 0x0010'0000,
      .mark_mask = 0xfff0'0000,
      .failed_group = "six",
      .kernel = "ct mark 0x00100000/0xfff00000, dnat to 10.2.0.1:8080",
      .steps = {{"policy", "ssh", "no match", "dport 443 is not 22"},
                {"policy", "api", "taken", "proto tcp"}},
      .policies_left_out = 11,
      .policies_not_reached = 12,
      .routes_left_out = 13,
  };
}

class FakeControl : public Control {
 public:
  Status status() override {
    if (broken) throw std::runtime_error("a library failed");
    return answer;
  }
  Result<Explanation> explain(const FlowQuestion& question) override {
    asked = "explain " + question.flow;
    for (const FlowOption& option : kFlowOptions)
      if (const auto& value = question.*option.value)
        asked += std::string(" ") + option.name + "=" + *value;
    if (question.flow.empty()) return fail("which flow?");
    return sample_explanation();
  }
  void flush_cache() override { asked = "cache"; }
  void flush_stats() override { asked = "stats"; }
  Result<FlushedFlows> flush_flows(const std::optional<std::string>& group,
                                   const std::optional<std::string>& server) override {
    asked = "flows group=" + group.value_or("-") + " server=" + server.value_or("-");
    if (group == "wbe") return fail("there is no group `wbe`: did you mean `web`?");
    return FlushedFlows{.flows = flows};
  }

  Result<AffinityList> affinity(const AffinityQuestion& question) override {
    asked = "affinity group=" + question.group.value_or("-") +
            " client=" + question.client.value_or("-");
    if (question.group == "wbe") return fail("there is no group `wbe`: did you mean `web`?");
    return AffinityList{{{"web", "192.0.2.7/32", "web1", 12}}, 31};
  }
  Result<std::uint64_t> flush_affinity(const AffinityQuestion& question) override {
    const auto list = affinity(question);
    asked = "flush " + asked;
    if (!list) return tl::unexpected(list.error());
    return list->total;
  }
  Result<StaleFlows> flush_stale(bool dry_run) override {
    asked = dry_run ? "stale, dry run" : "stale";
    return StaleFlows{{"udp 192.0.2.7:1 -> 10.9.9.9:53: its server dns/ns1 is gone"}};
  }

  void reload(std::optional<std::chrono::seconds> confirm, ReloadDone done) override {
    asked = "reload";
    if (confirm) asked += " confirm " + std::to_string(confirm->count());
    if (!invalid.empty()) return done(tl::unexpected(ReloadError{true, invalid}));
    done(Reload{7, 0.25, {"~ group.web.web1.weight 1 -> 2"}, 3, 60});
  }
  void undo(ReloadDone done) override {
    asked = "undo";
    done(tl::unexpected(ReloadError{false, "there is nothing to undo"}));
  }
  Result<void> confirm() override {
    asked = "confirm";
    return {};
  }
  void diff(const std::string& path, ReloadDone done) override {
    asked = "diff " + path;
    done(Reload{
        7,
        0.5,
        path == "/same" ? std::vector<std::string>() : std::vector<std::string>{"+ group.dns"},
        0,
        {}});
  }
  Result<Setting> set_state(const std::string& server, ServerState state) override {
    asked = "set " + server + " " + name(state);
    if (server == "web/wbe1")
      return fail("there is no server `web/wbe1`: did you mean `web/web1`?");
    return Setting{server, "up", name(state), 12, {}};
  }
  Result<Setting> set_weight(const std::string& server, const WeightOverride& weight) override {
    asked = "set " + server + " weight " + to_string(weight);
    return Setting{server, "weight 10", "weight 5", 0, "it is forgotten when nfsteer ends"};
  }
  Result<Setting> set_algorithm(const std::string& group, const std::string& algorithm) override {
    asked = "set " + group + " algorithm " + algorithm;
    return Setting{group, "weighted", algorithm, 0, {}};
  }

  // Set before the server runs, or by the test's only client between calls.
  Status answer = sample_status();
  std::uint64_t flows = 3;
  bool broken = false;
  std::string invalid;  // what is wrong with the rules file
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
