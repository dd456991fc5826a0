// Deciders in their threads, while all that they read is changed beside them.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "../policy/build.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/steering.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

constexpr std::size_t kDeciders = 3;
constexpr int kChanges = 1000;

// One of three that have the same names for other things; queue_first tells which.
Config config_of(std::uint16_t which) {
  Config config;
  config.engine.queue_first = which;
  config.cache = {.entries = 256, .route_entries = 64, .timeout_s = 5};
  config.schedules = {schedule("noon", "12:00", "13:00")};
  const auto address = [which](int host) { return format("10.0.{}.{}", which, host); };
  config.groups = {
      {"web", "round-robin", false, {server("a", address(1)), server("b", address(2))}},
      {"dns", "weighted", false, {server("c", address(3))}}};
  if (which == 1) std::swap(config.groups[0], config.groups[1]);
  if (which == 2) config.groups[0].servers.push_back(server("more", address(4)));
  config.tables = {table("main", 0, {route("10.9.9.0/24", "web"), route("10.0.0.0/8", "dns")})};
  // Every flow is taken by one of them.
  config.policies = {policy("ssh", 2, {criterion("dport", {"22"})}, Action::Reject),
                     policy("noon", 5, {criterion("schedule", {"noon"})}, Action::Drop),
                     policy("lan", 1, {criterion("daddr", {"10.0.0.0/8"})}, ToTable{"main"}),
                     policy("rest", 0, {}, ToGroup{"web"})};
  if (which == 2) config.policies[0].priority = 9;
  return config;
}

// Whether the decision is one that the world's configuration gives for the flow.
bool is_possible(const World& world, const Flow& flow, const Decision& decision) {
  const Snapshot& snapshot = *world.snapshot;
  if (!decision.policy) return false;
  const std::string& policy = snapshot.policies[*decision.policy].name;
  const bool noon = (world.situation.activity.schedules[0] & 1) != 0;
  const bool ssh = flow.tuple.destination_port == 22;
  if (ssh && (snapshot.engine.queue_first == 2 || !noon))
    return policy == "ssh" && decision.action == Action::Reject;
  if (noon) return policy == "noon" && decision.action == Action::Drop;
  const bool lan = flow.tuple.destination.low >> 24 == 10;
  if (policy != (lan ? "lan" : "rest") || decision.action != Action::Steer) return false;
  const bool web = !lan || (flow.tuple.destination.low >> 8) == 0x0a0909;
  const Server* server = snapshot.servers[decision.server];
  return server && snapshot.groups[*decision.group].name == (web ? "web" : "dns") &&
         snapshot.server_groups[decision.server] == *decision.group &&
         (server->address.low >> 8 & 0xff) == snapshot.engine.queue_first;
}

struct Outcome {
  std::uint64_t decided = 0, impossible = 0;
};

Outcome decide_until(const std::atomic<bool>& stop, Decider& decider, unsigned number) {
  std::vector<Flow> flows;
  for (unsigned i = 0; i < 200; ++i)
    flows.push_back(flow("tcp", format("192.0.2.{}", number), i,
                         i % 3 == 0   ? "10.9.9.9"
                         : i % 3 == 1 ? "10.1.1.1"
                                      : "192.0.2.9",
                         i % 7 == 0 ? 22 : 80));
  Outcome outcome;
  for (std::uint32_t round = 0; !stop; ++round) {
    const World& world = decider.enter();
    for (unsigned i = 0; i < 32; ++i) {
      const Flow& flow = flows[(round * 32 + i) % flows.size()];
      const Decision decision = decider.decide(flow, round / 100);
      if (!is_possible(world, flow, decision)) ++outcome.impossible;
      ++outcome.decided;
    }
    decider.leave();
  }
  return outcome;
}

void change(Steering& steering, const Config (&configs)[3], int step) {
  const std::pair<std::uint32_t, std::string> kInterfaces[] = {{2, format("eth{}", step)}};
  switch (step % 5) {
    case 0:
    case 3:
      REQUIRE(steering.apply(configs[step / 5 % 3]).empty());
      break;
    case 1:
      steering.set_time(
          parse_moment(step % 2 ? "2026-11-27T12:00:00Z" : "2026-11-27T13:00:00Z", Time()).value());
      break;
    case 2:
      steering.flush_cache();
      break;
    default:
      steering.set_interfaces(InterfaceNames(kInterfaces));
      if (step % 25 == 4) steering.statistics(0);
  }
}

}  // namespace

TEST_CASE("steering: deciders against a thousand changes; nothing mixed, nothing lost") {
  Steering steering(kDeciders);
  const Config configs[3] = {config_of(0), config_of(1), config_of(2)};
  REQUIRE(steering.apply(configs[0]).empty());
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> started{0};
  Outcome outcomes[kDeciders];
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kDeciders; ++i)
    threads.emplace_back([&, i] {
      ++started;
      outcomes[i] = decide_until(stop, steering.decider(i), i);
    });
  while (started < kDeciders) std::this_thread::yield();
  for (int step = 0; step < kChanges; ++step) {
    change(steering, configs, step);
    if (step % 8 == 0) std::this_thread::yield();
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();

  std::uint64_t decided = 0, impossible = 0, packets = 0;
  for (const Outcome& outcome : outcomes) {
    decided += outcome.decided;
    impossible += outcome.impossible;
    CHECK(outcome.decided > 0);
  }
  const Statistics counted = steering.statistics(0);
  for (const PolicyStatistics& policy : counted.policies) {
    packets += policy.packets;
    CHECK(policy.packets > 0);
  }
  MESSAGE(decided, " decisions in ", kDeciders, " threads during ", kChanges, " changes");
  CHECK(impossible == 0);
  CHECK(packets == decided);
  CHECK(counted.cache.hits + counted.cache.misses == decided);
  CHECK(counted.route_cache.hits + counted.route_cache.misses == counted.cache.misses);
  CHECK(steering.worlds_left() == 0);
}
