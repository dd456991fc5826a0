// What becomes of groups whose servers fail, in any order of checks, failures and time:
// nobody takes flows who must not, flows are shared out as a whole, an ejection never
// takes the last usable server, and each one ends.
#include <cmath>
#include <vector>

#include "../fuzz.hpp"
#include "nfsteer/failover.hpp"

using namespace nfsteer;
using fuzz::Input;
using Instant = FailoverBoard::Instant;

namespace {

constexpr std::uint64_t kServers = 12;

FailoverConfig read_config(Input& in) {
  FailoverConfig config;
  config.failover = static_cast<Failover>(in.below(kFailovers));
  config.failures = 1 + in.below(5);
  config.min_up = in.below(4);
  config.fail_back = in.flag();
  config.panic_percent = in.below(101);
  return config;
}

// The same identities may be in several pools over time, but in one at a time.
std::vector<FailoverBoard::Pool> read_pools(Input& in) {
  std::vector<FailoverBoard::Pool> pools(1 + in.below(3));
  for (std::size_t i = 0; i < pools.size(); ++i) {
    pools[i].group = std::string(1, static_cast<char>('a' + i / 2));
    pools[i].family = i % 2 == 0 ? Family::V4 : Family::V6;
    pools[i].config = read_config(in);
  }
  for (std::uint64_t identity = 1; identity <= kServers; ++identity) {
    const std::uint8_t kind = in.u8();
    if (kind % 4 == 0) continue;
    pools[kind % pools.size()].servers.push_back({identity, "server " + std::to_string(identity),
                                                  kind / 16u % 3, 1.0 + kind % 7, kind < 200});
  }
  return pools;
}

class Trial {
 public:
  void set_pools(Input& in) {
    pools_ = read_pools(in);
    board_.set_pools(pools_, now_);
  }
  void wait(std::chrono::milliseconds time) {
    now_ += time;
    FUZZ_CHECK(board_.advance(now_) > now_);
  }
  void check_says(Input& in) {
    const std::uint8_t answer = in.u8();
    board_.set_check(1 + in.below(kServers),
                     answer < 100   ? std::optional(true)
                     : answer < 230 ? std::optional(false)
                                    : std::nullopt,
                     "refused", now_);
  }
  void pass(Input& in) {
    board_.pass(1 + in.below(kServers), now_ - std::chrono::seconds(in.u8()), now_);
  }
  void fail(Input& in) {
    std::vector<bool> before;
    for (const auto& pool : pools_) before.push_back(is_anybody_usable(pool));
    board_.fail(1 + in.below(kServers), in.u8(), now_);
    for (std::size_t i = 0; i < pools_.size(); ++i)
      FUZZ_CHECK(!before[i] || is_anybody_usable(pools_[i]));
  }
  void fail_back(Input& in) { board_.fail_back(in.flag() ? "a" : "b"); }

  void check() {
    for (std::size_t i = 0; i < pools_.size(); ++i) check(pools_[i], board_.plan(i));
    board_.take_changed();
    for (const FailoverEvent& event : board_.take_events())
      FUZZ_CHECK(!event.subject.empty() && !event.text.empty());
  }
  // Where no check says otherwise, all are well again by and by.
  void finish() {
    for (std::uint64_t identity = 1; identity <= kServers; ++identity)
      board_.set_check(identity, std::nullopt, "", now_);
    wait(Ejection::kEjectionMost);
    for (std::uint64_t identity = 1; identity <= kServers; ++identity)
      FUZZ_CHECK(board_.health(identity).is_healthy());
  }

 private:
  bool is_anybody_usable(const FailoverBoard::Pool& pool) const {
    return std::any_of(pool.servers.begin(), pool.servers.end(), [this](const auto& server) {
      return server.wanted && board_.health(server.identity).is_healthy();
    });
  }

  void check(const FailoverBoard::Pool& pool, const TierPlan& plan) const {
    FUZZ_CHECK(plan.takes.size() == pool.servers.size());
    std::vector<bool> has_takers(plan.shares.size());
    for (std::size_t i = 0; i < pool.servers.size(); ++i) {
      FUZZ_CHECK(pool.servers[i].wanted || !plan.takes[i]);
      FUZZ_CHECK(pool.servers[i].tier < plan.shares.size());
      if (plan.takes[i]) has_takers[pool.servers[i].tier] = true;
    }
    double sum = 0;
    for (std::size_t tier = 0; tier < plan.shares.size(); ++tier) {
      FUZZ_CHECK(plan.shares[tier] >= 0 && (plan.shares[tier] == 0 || has_takers[tier]));
      sum += plan.shares[tier];
    }
    const bool is_shared_out = std::abs(sum - 1) < 1e-6;
    FUZZ_CHECK(is_shared_out || sum == 0);
    if (pool.config.failover != Failover::None)
      FUZZ_CHECK(is_shared_out || !is_anybody_usable(pool));
  }

  FailoverBoard board_;
  std::vector<FailoverBoard::Pool> pools_;
  Instant now_{std::chrono::hours(1'000)};
};

}  // namespace

FUZZ_TARGET(failover) {
  Input in(input);
  Trial trial;
  trial.set_pools(in);
  while (!in.is_empty()) {
    const std::uint8_t step = in.u8();
    if (step < 90)
      trial.check_says(in);
    else if (step < 190)
      trial.fail(in);
    else if (step < 215)
      trial.pass(in);
    else if (step < 240)
      trial.wait(std::chrono::milliseconds(in.number<std::uint16_t>()));
    else if (step < 250)
      trial.fail_back(in);
    else
      trial.set_pools(in);
    trial.check();
  }
  trial.finish();
}
