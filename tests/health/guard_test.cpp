// The guard against a prober that fails: targets in a world where time is moved.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>

#include "checks.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;
using namespace std::chrono_literals;
using Instant = CheckBoard::Instant;

namespace {

using Step = GuardChanged::Step;

// Probes that pass take 1 ms, others their time-out.
class World {
 public:
  World(const CheckConfig& check, std::uint32_t targets, std::uint64_t seed = 1)
      : check_(check), board_(seed) {
    for (std::uint32_t i = 1; i <= targets; ++i) wanted_.push_back({target_number(i)});
    board_.set_targets({check_}, wanted_, now_);
    run_for(check.interval + check.timeout);  // all are Up
    told_.clear();
  }

  CheckBoard& board() { return board_; }
  Instant now() const { return now_; }
  void run_for(Instant::duration time) { run_until(now_ + time); }
  void run_until(Instant end) {
    while (std::min(next_end(), board_.next_due()) <= end) {
      now_ = std::min(next_end(), board_.next_due());
      if (next_end() <= now_)
        finish();
      else
        begin();
    }
    now_ = end;
  }

  // So many of the targets, the first ones, fail from now on.
  void break_first(std::uint32_t count) {
    broken_.clear();
    for (std::uint32_t i = 1; i <= count; ++i) broken_.insert(target_number(i));
  }
  void break_too(std::uint32_t number) { broken_.insert(target_number(number)); }

  std::size_t count(CheckState state) const {
    std::size_t result = 0;
    for (const TargetStatus& status : board_.statuses()) result += status.state == state ? 1 : 0;
    return result;
  }
  std::size_t held() const {
    std::size_t result = 0;
    for (const TargetStatus& status : board_.statuses()) result += status.held ? 1 : 0;
    return result;
  }
  // When the guard did so, or a target went there, at first.
  std::optional<Instant> first(Step step) const {
    return first_of([step](const HealthEvent& event) {
      const auto* guard = std::get_if<GuardChanged>(&event);
      return guard && guard->step == step;
    });
  }
  std::optional<Instant> first(CheckState state) const {
    return first_of([state](const HealthEvent& event) {
      const auto* change = std::get_if<StateChanged>(&event);
      return change && change->to == state;
    });
  }
  std::size_t guard_changes() const {
    return static_cast<std::size_t>(std::count_if(told_.begin(), told_.end(), [](const auto& each) {
      return std::holds_alternative<GuardChanged>(each.second);
    }));
  }
  const std::vector<std::pair<Instant, HealthEvent>>& told() const { return told_; }
  void forget() { told_.clear(); }

 private:
  Instant next_end() const { return ends_.empty() ? Instant::max() : ends_.begin()->first; }

  void begin() {
    for (const ProbeTicket& ticket : board_.begin_due(now_)) {
      const bool passes = !broken_.contains(ticket.target);
      const auto took = passes ? 1ms : check_.timeout;
      ends_.emplace(now_ + took, std::pair(ticket, passes ? passed(took) : failed(took)));
    }
  }
  void finish() {
    const auto [ticket, result] = ends_.begin()->second;
    ends_.erase(ends_.begin());
    for (HealthEvent& event : board_.finish(ticket, result, now_))
      told_.emplace_back(now_, std::move(event));
  }
  std::optional<Instant> first_of(const std::function<bool(const HealthEvent&)>& is_it) const {
    for (const auto& [when, event] : told_)
      if (is_it(event)) return when;
    return std::nullopt;
  }

  CheckConfig check_;
  CheckBoard board_;
  std::vector<WantedTarget> wanted_;
  Instant now_ = kStart;
  std::multimap<Instant, std::pair<ProbeTicket, ProbeResult>> ends_;
  std::set<CheckTarget> broken_;
  std::vector<std::pair<Instant, HealthEvent>> told_;
};

// As in rules files without more, jitter included.
CheckConfig usual_check() {
  CheckConfig check = plain_check();
  check.jitter_percent = 10;
  return check;
}

}  // namespace

TEST_CASE("guard: when all fail at once nobody goes down, until it is believed") {
  World world(usual_check(), 10);
  const Instant broken = world.now();
  world.break_first(10);
  world.run_for(10s);
  CHECK(world.count(CheckState::Up) == 10);
  CHECK(world.held() == 10);
  CHECK(world.guard_changes() == 1);  // shouted once
  const auto held = world.first(Step::Holds);
  REQUIRE(held);
  CHECK(*held < broken + 6s);

  world.run_until(*held + CheckBoard::kGuardHold - 1ms);
  CHECK(world.count(CheckState::Up) == 10);
  world.run_for(1s);
  CHECK(world.count(CheckState::Down) == 10);
  CHECK(world.held() == 0);
  const auto believed = world.first(Step::Believes);
  REQUIRE(believed);
  CHECK(*believed >= *held + CheckBoard::kGuardHold);
  CHECK(world.first(CheckState::Down) == believed);
}

TEST_CASE("guard: what comes back in time never was down") {
  World world(usual_check(), 10);
  world.break_first(10);
  world.run_for(20s);
  CHECK(world.held() == 10);
  world.break_first(0);
  world.run_for(5s);
  CHECK(world.count(CheckState::Up) == 10);
  CHECK(world.held() == 0);
  CHECK(world.first(Step::LetsGo));
  CHECK(!world.first(CheckState::Down));
  CHECK(world.guard_changes() == 2);
}

TEST_CASE("guard: from which share on it holds") {
  static const struct {
    std::uint32_t targets, broken;
    bool holds;
  } kCases[] = {
      {1, 1, false},   {2, 2, false},    {3, 3, true},         {3, 2, false},     {4, 4, true},
      {4, 3, false},   {5, 4, true},     {5, 3, false},        {10, 8, true},     {10, 7, false},
      {100, 80, true}, {100, 70, false}, {1'000, 1'000, true}, {1'000, 1, false},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.targets);
    CAPTURE(row.broken);
    World world(usual_check(), row.targets);
    world.break_first(row.broken);
    world.run_for(10s);
    CHECK(world.first(Step::Holds).has_value() == row.holds);
    CHECK(world.count(CheckState::Down) == (row.holds ? 0 : row.broken));
  }
}

TEST_CASE("guard: one that fails alone goes down as soon as without it") {
  for (const std::uint32_t fall : {1u, 2u, 3u, 5u})
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      CAPTURE(fall);
      CheckConfig check = plain_check();
      check.fall = fall;
      check.interval = 10s;
      World world(check, 20, seed);
      const Instant broken = world.now();
      world.break_first(1);
      world.run_for(20s);
      const auto down = world.first(CheckState::Down);
      REQUIRE(down);
      // The first failure shows within an interval, the others a second apart.
      CHECK(*down <= broken + 10s + check.timeout + (fall - 1) * 1s + 2ms);
      CHECK(world.guard_changes() == 0);
    }
}

// The point of it: whatever the numbers are, it is noticed before anybody goes down.
TEST_CASE("guard: it notices before the first has failed often enough") {
  for (const std::uint32_t targets : {3u, 4u, 10u, 50u})
    for (const std::uint32_t fall : {1u, 2u, 3u, 10u})
      for (const auto interval : {100ms, 1'000ms, 2'000ms, 60'000ms})
        for (const auto timeout : {10ms, 100ms, 1'000ms, 20'000ms})
          for (std::uint64_t seed = 1; seed <= 5; ++seed) {
            CheckConfig check = usual_check();
            check.fall = fall;
            check.interval = interval;
            check.timeout = std::min(timeout, interval);
            World world(check, targets, seed);
            world.break_first(targets);
            const auto enough = 2 * interval + fall * (check.timeout + 1s) + 2 * check.timeout;
            world.run_for(enough);
            CAPTURE(targets);
            CAPTURE(fall);
            CAPTURE(interval.count());
            CAPTURE(check.timeout.count());
            CAPTURE(seed);
            const auto holds = world.first(Step::Holds);
            CHECK(holds);
            if (const auto down = world.first(CheckState::Down))
              CHECK(*down >= *holds + CheckBoard::kGuardHold);
          }
}

TEST_CASE("guard: those that still fail when the share falls go down") {
  World world(usual_check(), 10);
  world.break_first(10);
  world.run_for(10s);
  CHECK(world.held() == 10);
  world.break_first(7);
  world.run_for(5s);
  CHECK(world.count(CheckState::Down) == 7);
  CHECK(world.held() == 0);
  CHECK(world.first(Step::LetsGo));
}

TEST_CASE("guard: once it was believed it is not asked again until the share was below") {
  World world(usual_check(), 10);
  world.break_first(10);
  world.run_for(60s);
  CHECK(world.count(CheckState::Down) == 10);
  CHECK(world.guard_changes() == 2);
  world.break_first(0);
  world.run_for(20s);
  CHECK(world.count(CheckState::Up) == 10);
  world.forget();
  world.break_first(10);  // it is there again
  world.run_for(10s);
  CHECK(world.held() == 10);
}

TEST_CASE("guard: servers that die one after another are no failure of the prober") {
  CheckConfig check = usual_check();
  check.interval = 1s;
  check.timeout = 100ms;
  check.fall = 30;  // so that all of them are still up when the first has failed enough
  World world(check, 4);
  for (std::uint32_t i = 1; i <= 4; ++i) {
    world.break_too(i);
    world.run_for(5s);
  }
  world.run_for(60s);
  CHECK(world.count(CheckState::Down) == 4);
  CHECK(!world.first(Step::Holds));
}

TEST_CASE("guard: who sleeps and who is down does not count") {
  World world(usual_check(), 6);
  world.break_first(2);
  world.run_for(10s);
  CHECK(world.count(CheckState::Down) == 2);
  world.board().set_awake(target_number(6), false, world.now());
  world.forget();
  world.break_first(5);  // all of the three that are left
  world.run_for(10s);
  CHECK(world.held() == 3);
  // When one of them sleeps, two are too few.
  world.board().set_awake(target_number(5), false, world.now());
  world.run_for(3s);
  CHECK(world.held() == 0);
  CHECK(world.count(CheckState::Down) == 4);
}

TEST_CASE("guard: a witness that is gone, sleeps, or cannot ask, is not waited for") {
  CheckConfig check = plain_check();
  check.fall = 1;
  check.interval = check.timeout = 10s;
  for (const char* how : {"gone", "asleep", "skipped"}) {
    CAPTURE(std::string(how));
    CheckBoard board(1);
    const CheckTarget one = target_number(1), two = target_number(2), three = target_number(3);
    board.set_targets({check}, {{one}, {two}, {three}}, kStart);
    for (const ProbeTicket& ticket : board.begin_due(kStart + 10s))
      board.finish(ticket, passed(), kStart + 10s);
    const auto tickets = board.begin_due(kStart + 20s);
    REQUIRE(tickets.size() == 3);
    const auto state_of_one = [&] { return board.statuses().front().state; };
    board.finish(tickets[0], failed(), kStart + 21s);
    CHECK(state_of_one() == CheckState::Up);  // waits for the others
    if (how == std::string("gone")) board.remove(two);
    if (how == std::string("asleep")) board.set_awake(two, false, kStart + 21s);
    if (how == std::string("skipped")) board.finish(tickets[1], result_of('S'), kStart + 21s);
    CHECK(state_of_one() == CheckState::Up);
    board.finish(tickets[2], passed(), kStart + 21s);
    CHECK(state_of_one() == CheckState::Down);
  }
}

TEST_CASE("guard: nobody waits for ever for witnesses") {
  CheckConfig check = plain_check();
  check.fall = 1;
  CheckBoard board(1);
  const CheckTarget one = target_number(1);
  board.set_targets({check}, {{one}, {target_number(2)}, {target_number(3)}}, kStart);
  for (const ProbeTicket& ticket : board.begin_due(kStart + 2s))
    board.finish(ticket, passed(), kStart + 2s);
  const auto fail_one = [&](Instant when) {
    for (const ProbeTicket& ticket : board.begin_due(when))
      if (ticket.target == one) board.finish(ticket, failed(), when);  // the others never end
    return board.statuses().front().state;
  };
  CHECK(fail_one(kStart + 4s) == CheckState::Up);
  CHECK(fail_one(kStart + 5s) == CheckState::Up);
  CHECK(fail_one(kStart + 6s) == CheckState::Down);  // the time-out and a second later
}

TEST_CASE("guard: what it does is told") {
  World world(plain_check(), 3);
  world.break_first(3);
  world.run_for(10s);
  REQUIRE(world.told().size() == 1);
  CHECK(to_string(world.told().front().second) ==
        "3 of 3 targets that are up began to fail at once: no server is held to be down for it, as "
        "perhaps this machine fails");
  world.forget();
  world.run_for(30s);
  CHECK(to_string(world.told().front().second) ==
        "3 of 3 targets that are up still fail after 30 s: it is believed");
  CHECK(world.told().size() == 4);
}

// What holds whatever happens.
TEST_CASE("guard: random worlds") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    CheckConfig check = usual_check();
    check.fall = random.below(4) + 1;
    check.rise = random.below(3) + 1;
    const std::uint32_t targets = random.below(12) + 1;
    World world(check, targets, seed);
    for (int step = 0; step < 60; ++step) {
      world.break_first(random.below(targets + 1));
      world.run_for(std::chrono::milliseconds(random.below(6'000)));
      if (random.below(10) == 0)
        world.board().set_awake(target_number(random.below(targets) + 1), random.below(2) == 0,
                                world.now());
      for (const TargetStatus& status : world.board().statuses()) {
        // Who is held is up and failed as often; nobody else is.
        if (status.held) REQUIRE(status.state == CheckState::Up);
        if (status.held) REQUIRE(status.failures_in_row >= check.fall);
      }
    }
    // At last each is what it is.
    world.break_first(targets / 2);
    world.run_for(120s);
    for (const TargetStatus& status : world.board().statuses()) {
      const bool is_broken = status.target.address.low - 0x0a00'0000 <= targets / 2;
      if (status.awake) CHECK(status.state == (is_broken ? CheckState::Down : CheckState::Up));
      CHECK(!status.held);
    }
    bool holds = false;
    Instant since;
    for (const auto& [when, event] : world.told()) {
      if (const auto* guard = std::get_if<GuardChanged>(&event)) {
        CHECK((guard->step == Step::Holds) == !holds);
        CHECK(guard->failing <= guard->compared);
        if (guard->step == Step::Holds) since = when;
        if (guard->step == Step::Believes) CHECK(when - since >= CheckBoard::kGuardHold);
        holds = guard->step == Step::Holds;
      } else if (const auto* change = std::get_if<StateChanged>(&event)) {
        if (change->from == CheckState::Up) CHECK(!holds);
      }
    }
  }
}
