// What results make of a target, and when it is probed again; with a moved clock.
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <string_view>

#include "checks.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;
using namespace std::chrono_literals;

namespace {

char letter(const TargetStatus& status) {
  if (status.held) return 'H';
  return "?UD"[static_cast<std::size_t>(status.state)];
}

// The target's state after each result: P passed, F failed, S skipped.
std::string states(const CheckConfig& check, std::string_view results,
                   std::optional<CheckState> last = {}) {
  CheckBoard board(1);
  const CheckTarget target = target_number(1);
  board.set_targets({check}, {{target, last}}, kStart);
  std::string seen;
  for (const char result : results) {
    finish_next(board, result);
    seen += letter(board.statuses().front());
  }
  return seen;
}

}  // namespace

TEST_CASE("CheckBoard: rise and fall") {
  using enum CheckStart;
  constexpr std::optional<CheckState> kNone;
  static const struct {
    CheckStart start;
    std::optional<CheckState> last;
    std::uint32_t rise, fall;
    std::string_view results, want;
  } kCases[] = {
      // The first result settles what is not known.
      {Up, kNone, 2, 3, "P", "U"},
      {Up, kNone, 2, 3, "F", "D"},
      {Down, kNone, 2, 3, "P", "U"},
      {Down, kNone, 2, 3, "F", "D"},
      {Last, kNone, 2, 3, "P", "U"},
      {Last, kNone, 2, 3, "F", "D"},
      {Up, CheckState::Down, 2, 3, "P", "U"},  // asked for by `last` alone
      {Down, CheckState::Up, 2, 3, "F", "D"},
      // What was known needs as much as ever.
      {Last, CheckState::Up, 2, 3, "FFF", "UUD"},
      {Last, CheckState::Down, 2, 3, "PP", "DU"},
      {Last, CheckState::Unknown, 2, 3, "F", "D"},
      // In a row.
      {Up, kNone, 2, 3, "PFFPFFPFFF", "UUUUUUUUUD"},
      {Up, kNone, 2, 3, "FPFPFPP", "DDDDDDU"},
      {Up, kNone, 1, 1, "PFPF", "UDUD"},
      {Up, kNone, 3, 2, "PFFPPFPPP", "UUDDDDDDU"},
      {Up, kNone, 1, 5, "PFFFFFP", "UUUUUDU"},
      // What could not ask says nothing.
      {Up, kNone, 2, 3, "SSS", "???"},
      {Up, kNone, 2, 3, "PFSFSF", "UUUUUD"},
      {Up, kNone, 2, 3, "FPSP", "DDDU"},
      {Up, kNone, 2, 3, "PFFSP", "UUUUU"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.results);
    CAPTURE(static_cast<int>(row.start));
    CheckConfig check = plain_check();
    check.start = row.start;
    check.rise = row.rise;
    check.fall = row.fall;
    CHECK(states(check, row.results, row.last) == row.want);
  }
}

TEST_CASE("CheckBoard: whether flows may go to what is not known") {
  static const struct {
    CheckStart start;
    std::optional<CheckState> last;
    bool want;
  } kCases[] = {
      {CheckStart::Up, {}, true},
      {CheckStart::Down, {}, false},
      {CheckStart::Last, {}, true},
      {CheckStart::Last, CheckState::Down, false},
      {CheckStart::Last, CheckState::Up, true},
  };
  for (const auto& row : kCases) {
    CheckConfig check = plain_check();
    check.start = row.start;
    CheckBoard board(1);
    board.set_targets({check}, {{target_number(1), row.last}}, kStart);
    CHECK(board.statuses().front().is_up() == row.want);
    finish_next(board, 'F');
    CHECK(board.statuses().front().is_up() == (row.last == CheckState::Up));
  }
}

TEST_CASE("CheckBoard: when the next probe is due") {
  static const struct {
    std::string_view results;
    std::chrono::milliseconds interval, interval_down, want;
  } kCases[] = {
      {"P", 2s, 5s, 2s},         {"PF", 2s, 5s, 1s},    // failing, not down yet
      {"PFF", 2s, 5s, 1s},       {"PFFF", 2s, 5s, 5s},  // down
      {"F", 2s, 5s, 5s},         {"FP", 2s, 5s, 1s},    // passing, not up yet
      {"FPP", 2s, 5s, 2s},       {"FPF", 2s, 5s, 5s},
      {"PF", 200ms, 5s, 200ms},  // never slower for it
      {"FP", 200ms, 60s, 200ms}, {"PF", 60s, 60s, 1s},
      {"S", 60s, 60s, 1s},  // could not ask
      {"FS", 2s, 5s, 1s},        {"PS", 200ms, 5s, 200ms},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.results);
    CheckConfig check = plain_check();
    check.interval = row.interval;
    check.interval_down = row.interval_down;
    CheckBoard board(1);
    board.set_targets({check}, {{target_number(1)}}, kStart);
    CheckBoard::Instant started;
    for (const char result : row.results) started = finish_next(board, result);
    CHECK(board.next_due() - started == row.want);
  }
}

TEST_CASE("CheckBoard: a probe that takes longer than the next one waits makes that wait") {
  CheckConfig check = plain_check();
  check.interval = 10s;
  check.timeout = 3s;
  CheckBoard board(1);
  board.set_targets({check}, {{target_number(1)}}, kStart);
  finish_next(board, 'P');
  const auto started = finish_next(board, 'F', 3s);
  CHECK(board.next_due() == started + 3s);
}

TEST_CASE("CheckBoard: jitter and the first probe are spread") {
  CheckConfig check = plain_check();
  check.interval = 1s;
  check.jitter_percent = 20;
  std::set<CheckBoard::Instant> first;
  std::set<CheckBoard::Instant::duration> later;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CheckBoard board(seed);
    board.set_targets({check}, {{target_number(1)}}, kStart);
    first.insert(board.next_due());
    const auto started = finish_next(board, 'P');
    later.insert(board.next_due() - started);
  }
  CHECK(first.size() > 190);
  CHECK(*first.begin() > kStart);
  CHECK(*first.begin() < kStart + 50ms);
  CHECK(*first.rbegin() <= kStart + 1s);
  CHECK(*first.rbegin() > kStart + 950ms);
  CHECK(*later.begin() >= 800ms);
  CHECK(*later.begin() < 820ms);
  CHECK(*later.rbegin() <= 1'200ms);
  CHECK(*later.rbegin() > 1'180ms);
}

TEST_CASE("CheckBoard: what is told of a target") {
  CheckBoard board(1);
  const CheckTarget target = target_number(1);
  board.set_targets({plain_check()}, {{target}}, kStart);
  TargetStatus status = board.statuses().front();
  CHECK(status.target == target);
  CHECK(status.since == kStart);
  CHECK(!status.last);

  const auto first = finish_next(board, 'P', 7ms);
  status = board.statuses().front();
  CHECK(status.since == first + 7ms);
  REQUIRE(status.last);
  CHECK(status.last->when == first + 7ms);
  CHECK(status.last->passed);
  CHECK(status.last->reason == "passed");
  CHECK(status.last->took == 7ms);
  CHECK(status.passes_in_row == 1);

  finish_next(board, 'F');
  finish_next(board, 'S');
  status = board.statuses().front();
  CHECK(status.since == first + 7ms);
  CHECK(status.last->reason == "failed");  // the last that asked
  CHECK(status.skipped == "skipped");
  CHECK(status.failures_in_row == 1);
  CHECK(status.passes_in_row == 0);
  finish_next(board, 'F');
  CHECK(board.statuses().front().skipped == "");
}

TEST_CASE("CheckBoard: changes are reported, with the reason") {
  CheckBoard board(1);
  board.set_targets({plain_check()}, {{target_number(1)}}, kStart);
  std::string told;
  for (const char result : std::string_view("PFFFPP")) {
    for (const HealthEvent& event : finish_next_events(board, result))
      told += to_string(event) + "\n";
  }
  CHECK(told ==
        "check plain of 10.0.0.1 port 80: up, was unknown: passed\n"
        "check plain of 10.0.0.1 port 80: down, was up: failed\n"
        "check plain of 10.0.0.1 port 80: up, was down: passed\n");
}

TEST_CASE("CheckBoard: that probes cannot ask is told once for each reason") {
  CheckBoard board(1);
  std::vector<WantedTarget> wanted;
  for (std::uint32_t i = 1; i <= 5; ++i) wanted.push_back({target_number(i)});
  board.set_targets({plain_check()}, wanted, kStart);
  const auto told = [&](char result, std::size_t probes, const char* reason = "short") {
    std::size_t count = 0;
    for (std::size_t i = 0; i < probes; ++i)
      for (const HealthEvent& event : finish_next_events(board, result, 1ms, reason))
        if (std::holds_alternative<ProbesSkipped>(event)) ++count;
    return count;
  };
  CHECK(told('S', 20) == 1);
  CHECK(told('S', 20, "forbidden") == 1);
  CHECK(told('P', 20) == 0);
  CHECK(told('S', 20) == 1);  // it had ended
  board.set_targets({plain_check()}, {}, kStart);
  board.set_targets({plain_check()}, wanted, kStart + 1h);
  CHECK(told('S', 5) == 1);
}

TEST_CASE("CheckBoard: who sleeps is not probed, and keeps its state") {
  CheckBoard board(1);
  const CheckTarget target = target_number(1);
  board.set_targets({plain_check()}, {{target, {}, false}}, kStart);
  CHECK(board.next_due() == CheckBoard::Instant::max());
  board.set_awake(target, true, kStart + 1h);
  CHECK(board.next_due() == kStart + 1h);  // at once
  finish_next(board, 'P');
  finish_next(board, 'F');
  finish_next(board, 'F');

  const auto ticket = board.begin_due(board.next_due()).front();
  board.set_awake(target, false, kStart + 2h);
  CHECK(!board.is_running(ticket));
  CHECK(board.finish(ticket, failed(), kStart + 2h).empty());
  CHECK(board.next_due() == CheckBoard::Instant::max());
  CHECK(board.statuses().front().state == CheckState::Up);

  board.set_awake(target, true, kStart + 3h);
  board.set_awake(target, true, kStart + 4h);
  CHECK(board.next_due() == kStart + 3h);
  finish_next(board, 'F');  // failures of before do not count
  CHECK(board.statuses().front().state == CheckState::Up);
  CHECK(board.statuses().front().failures_in_row == 1);
  board.set_awake(target_number(9), true, kStart);  // nobody
}

TEST_CASE("CheckBoard: targets that stay keep all; others go, with their probes") {
  CheckBoard board(1);
  const CheckTarget one = target_number(1), two = target_number(2), three = target_number(3);
  board.set_targets({plain_check()}, {{one}, {two}}, kStart);
  std::vector<ProbeTicket> tickets = board.begin_due(kStart + 2s);
  REQUIRE(tickets.size() == 2);
  for (const ProbeTicket& ticket : tickets) board.finish(ticket, passed(), kStart + 2s);
  tickets = board.begin_due(kStart + 4s);

  board.set_targets({plain_check()}, {{two}, {three}, {three}}, kStart + 4s);
  const auto statuses = board.statuses();
  REQUIRE(statuses.size() == 2);
  CHECK(statuses[0].target == two);
  CHECK(statuses[0].state == CheckState::Up);
  CHECK(statuses[0].since == kStart + 2s);
  CHECK(statuses[1].state == CheckState::Unknown);
  for (const ProbeTicket& ticket : tickets) {
    CHECK(board.is_running(ticket) == (ticket.target == two));
    board.finish(ticket, failed(), kStart + 5s);
  }
  CHECK(board.statuses()[0].failures_in_row == 1);

  board.remove(two);
  board.remove(two);
  CHECK(board.statuses().size() == 1);
  board.set_targets({}, {}, kStart + 6s);
  CHECK(board.statuses().empty());
  CHECK(board.next_due() == CheckBoard::Instant::max());
}

TEST_CASE("CheckBoard: a check that is another one now is asked anew, and the state stays") {
  CheckConfig check = plain_check();
  check.interval = 60s;
  CheckBoard board(1);
  board.set_targets({check}, {{target_number(1)}}, kStart);
  finish_next(board, 'P');
  const auto unchanged = board.next_due();
  board.set_targets({check}, {{target_number(1)}}, kStart + 61s);
  CHECK(board.next_due() == unchanged);

  const auto ticket = board.begin_due(unchanged).front();
  check.interval = 3s;
  check.fall = 1;
  board.set_targets({check}, {{target_number(1)}}, unchanged);
  CHECK(!board.is_running(ticket));
  CHECK(board.next_due() <= unchanged + 3s);
  CHECK(board.statuses().front().state == CheckState::Up);
  finish_next(board, 'F');
  CHECK(board.statuses().front().state == CheckState::Down);
}

// Random results, sleep and reloads, against a model that looks at all results again.
TEST_CASE("CheckBoard: a plain model says the same") {
  struct Model {
    CheckState state = CheckState::Unknown;
    std::string row;  // results that count, the last ones

    void take(char result, const CheckConfig& check) {
      if (result == 'S') return;
      row += result;
      const auto last = [&](std::uint32_t count, char what) {
        return row.size() >= count && row.substr(row.size() - count) == std::string(count, what);
      };
      if (state == CheckState::Unknown)
        state = result == 'P' ? CheckState::Up : CheckState::Down;
      else if (state == CheckState::Up && last(check.fall, 'F'))
        state = CheckState::Down;
      else if (state == CheckState::Down && last(check.rise, 'P'))
        state = CheckState::Up;
    }
  };
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    CheckConfig check = plain_check();
    check.rise = random.below(4) + 1;
    check.fall = random.below(4) + 1;
    check.jitter_percent = 10;
    CheckBoard board(seed);
    // Two are too few for the guard.
    const std::vector<WantedTarget> wanted = {{target_number(1)}, {target_number(2)}};
    board.set_targets({check}, wanted, kStart);
    std::map<CheckTarget, Model> models;
    for (int step = 0; step < 300; ++step) {
      const CheckTarget& some = wanted[random.below(2)].target;
      if (random.below(20) == 0) {
        const auto now = board.next_due();
        board.set_awake(some, false, now);
        board.set_awake(some, true, now);
        models[some].row.clear();
      }
      if (random.below(20) == 0) board.set_targets({check}, wanted, board.next_due());
      const auto now = board.next_due();
      for (const ProbeTicket& ticket : board.begin_due(now)) {
        const char result = "PPFFFS"[random.below(6)];
        board.finish(ticket, result_of(result), now);
        models[ticket.target].take(result, check);
      }
      for (const TargetStatus& status : board.statuses())
        REQUIRE(status.state == models[status.target].state);
    }
  }
}
