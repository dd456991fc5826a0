#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>

#include "nfsteer/base/text.hpp"
#include "nfsteer/failover.hpp"

using namespace nfsteer;
using namespace std::chrono_literals;

namespace {

using Instant = FailoverBoard::Instant;

constexpr Instant at(std::chrono::milliseconds time) {
  return Instant(1'000'000s + time);
}

FailoverBoard::Pool pool(std::size_t servers, FailoverConfig config = {}) {
  FailoverBoard::Pool made;
  made.group = "web";
  made.config = config;
  for (std::size_t i = 1; i <= servers; ++i)
    made.servers.push_back({i, format("web/{}", i), 0, 1, true});
  return made;
}

FailoverConfig by(Failover failover) {
  FailoverConfig config;
  config.failover = failover;
  return config;
}

// The servers that take flows, by their identities.
std::string takers(const FailoverBoard& board, const FailoverBoard::Pool& pool,
                   std::size_t index = 0) {
  std::string text;
  for (std::size_t i = 0; i < pool.servers.size(); ++i)
    if (board.plan(index).takes[i]) text += format("{} ", pool.servers[i].identity);
  return text;
}

// "check-failed web/1 is down: refused"
std::vector<std::string> told(FailoverBoard& board) {
  std::vector<std::string> texts;
  for (const auto& [reason, subject, text] : board.take_events())
    texts.push_back(format("{} {} {}", name(reason), subject, text));
  return texts;
}
using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("failover board: by the check") {
  FailoverBoard board;
  const auto web = pool(3, by(Failover::Probe));
  board.set_pools({web}, at(0s));
  CHECK(board.take_changed() == std::set<std::size_t>{0});
  CHECK(told(board).empty());
  CHECK(takers(board, web) == "1 2 3 ");  // nothing is known yet

  board.set_check(1, true, "200", at(1s));
  CHECK(told(board).empty());  // as was assumed
  CHECK(board.take_changed().empty());
  board.set_check(2, false, "refused", at(2s));
  CHECK(told(board) == Texts{"check-failed web/2 is down: refused"});
  CHECK(board.take_changed() == std::set<std::size_t>{0});
  CHECK(takers(board, web) == "1 3 ");
  CHECK(board.health(2).is_up == false);
  CHECK(board.health(2).reason == "refused");
  CHECK(!board.health(2).is_healthy());
  board.set_check(2, true, "200", at(3s));
  CHECK(told(board) == Texts{"check-passed web/2 is up: 200"});
  CHECK(takers(board, web) == "1 2 3 ");

  board.set_check(2, false, "no answer within 1 s", at(4s));
  board.set_check(2, std::nullopt, "", at(5s));  // it has no check any more
  CHECK(takers(board, web) == "1 2 3 ");
  board.set_check(99, false, "nobody", at(5s));
  CHECK(board.count(FailoverReason::CheckFailed) == 2);
  CHECK(board.count(FailoverReason::CheckPassed) == 2);
}

TEST_CASE("failover board: without failover health is shown only") {
  FailoverBoard board;
  const auto web = pool(2, by(Failover::None));
  board.set_pools({web}, at(0s));
  board.set_check(1, false, "refused", at(1s));
  CHECK(takers(board, web) == "1 2 ");
  CHECK(board.health(1).is_up == false);
}

TEST_CASE("failover board: by flows that failed") {
  FailoverBoard board;
  const auto web = pool(3, by(Failover::Immediate));
  board.set_pools({web}, at(0s));
  board.take_changed();
  board.fail(1, 1, at(1s));
  CHECK(told(board) == Texts{"ejected web/1 is ejected for 30 s: 1 flow failed"});
  CHECK(takers(board, web) == "2 3 ");
  CHECK(board.health(1).is_ejected);
  CHECK(board.health(1).ejections == 1);
  CHECK(board.health(1).ejected_until == at(31s));
  board.fail(1, 1, at(2s));  // flows of before
  CHECK(told(board).empty());

  // A tenth, one at least: not the second.
  board.fail(2, 4, at(2s));
  CHECK(told(board) == Texts{"ejection-limit web/2 is not ejected though 4 flows in a row "
                             "failed: too many are already"});
  CHECK(takers(board, web) == "2 3 ");

  CHECK(board.advance(at(30s)) == at(31s));
  CHECK(takers(board, web) == "2 3 ");
  CHECK(board.advance(at(31s)) == Instant::max());
  CHECK(told(board) == Texts{"returned web/1 is back from its ejection"});
  CHECK(takers(board, web) == "1 2 3 ");
  board.fail(1, 1, at(32s));
  CHECK(board.health(1).ejected_until == at(92s));  // longer
}

TEST_CASE("failover board: a check that passes later ends an ejection") {
  FailoverBoard board;
  const auto web = pool(3, by(Failover::Delayed));
  board.set_pools({web}, at(0s));
  board.fail(1, 3, at(10s));
  board.pass(1, at(9s), at(11s));  // began before
  CHECK(takers(board, web) == "2 3 ");
  board.pass(2, at(11s), at(11s));
  CHECK(takers(board, web) == "2 3 ");
  board.pass(1, at(11s), at(11s));
  CHECK(takers(board, web) == "1 2 3 ");
  CHECK(board.advance(at(11s)) == Instant::max());
}

TEST_CASE("failover board: the last usable server is never ejected") {
  FailoverBoard board;
  auto web = pool(3, by(Failover::Immediate));
  web.servers[2].wanted = false;  // somebody drains it
  board.set_pools({web}, at(0s));
  board.set_check(1, false, "refused", at(1s));
  told(board);
  board.fail(2, 1, at(2s));
  CHECK(told(board) == Texts{"last-usable web/2 is not ejected though 1 flow failed: no other of "
                             "its group is usable"});
  CHECK(takers(board, web) == "2 ");
  board.fail(3, 1, at(2s));  // nobody wants it
  board.fail(1, 1, at(2s));  // it is down
  CHECK(told(board).empty());
  auto one = pool(1, by(Failover::Immediate));
  board.set_pools({one}, at(3s));
  board.fail(1, 1, at(3s));
  CHECK(takers(board, one).empty());  // by its check, as before
}

TEST_CASE("failover board: a tenth of many") {
  FailoverBoard board;
  const auto web = pool(25, by(Failover::Immediate));
  board.set_pools({web}, at(0s));
  for (std::uint64_t id = 1; id <= 5; ++id) board.fail(id, 1, at(1s));
  CHECK(board.count(FailoverReason::Ejected) == 2);
  CHECK(board.count(FailoverReason::EjectionLimit) == 3);
}

TEST_CASE("failover board: panic and tiers are told once") {
  FailoverBoard board;
  auto web = pool(4, by(Failover::Probe));
  web.servers[3].tier = 1;
  board.set_pools({web}, at(0s));
  board.set_check(1, false, "x", at(1s));
  CHECK(told(board) == Texts{"check-failed web/1 is down: x",
                             "tier web sends flows to tier 1 (93 %), tier 2 (7 %)"});
  board.set_check(4, false, "x", at(1s));
  told(board);
  board.set_check(2, false, "x", at(2s));
  CHECK(told(board) == Texts{"check-failed web/2 is down: x",
                             "panic web panics: less than 50 % of its weight is usable, so health "
                             "is ignored"});
  CHECK(board.plan(0).has_panic());
  board.set_pools({web}, at(3s));  // the same again
  CHECK(told(board).empty());
  CHECK(board.plan(0).has_panic());
  board.set_check(4, true, "y", at(4s));
  CHECK(told(board) == Texts{"check-passed web/4 is up: y", "panic-over web has left its panic",
                             "tier web sends flows to tier 1 (47 %), tier 2 (53 %)"});
}

TEST_CASE("failover board: flows go back to a tier, or stay until it is said") {
  for (const bool fail_back : {true, false}) {
    CAPTURE(fail_back);
    FailoverBoard board;
    FailoverConfig config = by(Failover::Probe);
    config.fail_back = fail_back;
    auto web = pool(2, config);
    web.servers[1].tier = 1;
    board.set_pools({web}, at(0s));
    const auto first = [&] { return board.plan(0).first(); };
    CHECK(first() == 0);
    board.set_check(1, false, "x", at(1s));
    CHECK(first() == 1);
    board.set_check(1, true, "x", at(2s));
    CHECK(first() == (fail_back ? 0 : 1));
    board.set_pools({web}, at(3s));
    CHECK(first() == (fail_back ? 0 : 1));
    board.fail_back("other");
    CHECK(first() == (fail_back ? 0 : 1));
    if (!fail_back) {
      board.set_check(2, false, "x", at(4s));  // now it must
      CHECK(first() == 0);
      board.set_check(2, true, "x", at(5s));
      CHECK(first() == 0);
      board.set_check(1, false, "x", at(6s));
      board.set_check(1, true, "x", at(7s));
      CHECK(first() == 1);
    }
    board.fail_back("web");
    CHECK(first() == 0);
  }
}

TEST_CASE("failover board: what is known stays with the identity") {
  FailoverBoard board;
  FailoverConfig config = by(Failover::Immediate);
  config.panic_percent = 0;
  auto web = pool(3, config);
  board.set_pools({web}, at(0s));
  board.set_check(3, false, "x", at(1s));
  board.fail(1, 1, at(1s));
  told(board);

  auto dns = pool(1, by(Failover::Probe));
  dns.group = "dns";
  dns.servers[0].identity = 9;
  std::rotate(web.servers.begin(), web.servers.begin() + 1, web.servers.end());  // 2 3 1
  board.set_pools({dns, web}, at(2s));
  CHECK(takers(board, web, 1) == "2 ");
  CHECK(told(board).empty());
  CHECK(board.health(9).is_healthy());

  web.servers.pop_back();
  board.set_pools({web}, at(3s));  // 1 is gone
  CHECK(!board.health(1).is_ejected);
  web.servers.push_back({1, "web/1", 0, 1, true});
  board.set_pools({web}, at(4s));
  CHECK(takers(board, web) == "2 1 ");
  CHECK(board.advance(at(60s)) == Instant::max());
}

TEST_CASE("failover board: no sequence ejects the last usable server, or too many") {
  std::mt19937 random(7);
  const auto below = [&random](unsigned limit) { return static_cast<unsigned>(random() % limit); };
  for (int run = 0; run < 200; ++run) {
    CAPTURE(run);
    const std::size_t servers = 1 + below(12);
    auto web = pool(servers, by(below(2) ? Failover::Immediate : Failover::Delayed));
    for (auto& server : web.servers) server.tier = below(3);
    FailoverBoard board;
    board.set_pools({web}, at(0s));
    auto now = at(0s);
    for (int step = 0; step < 300; ++step) {
      now += std::chrono::milliseconds(below(8'000));
      const std::uint64_t id = 1 + below(static_cast<unsigned>(servers));
      const auto usable = [&] {
        std::size_t count = 0;
        for (const auto& server : web.servers)
          count += server.wanted && board.health(server.identity).is_healthy();
        return count;
      };
      const std::size_t before = usable();
      switch (below(6)) {
        case 0:
        case 1:
          board.fail(id, 1 + below(5), now);
          if (before > 0) CHECK(usable() > 0);
          break;
        case 2:
          board.set_check(id, below(3) > 0, "x", now);
          break;
        case 3:
          web.servers[id - 1].wanted = below(4) > 0;
          board.set_pools({web}, now);
          break;
        case 4:
          board.pass(id, now, now);
          break;
        default:
          board.advance(now);
      }
      std::size_t ejected = 0;
      for (const auto& server : web.servers) ejected += board.health(server.identity).is_ejected;
      CHECK(ejected <= std::max<std::size_t>(servers / 10, 1));
      if (usable() > 0) CHECK(board.plan(0).first());
    }
  }
}

TEST_CASE("failover: every reason has a word of its own") {
  std::map<std::string, int> words;
  for (std::size_t i = 0; i < kFailoverReasons; ++i) ++words[name(static_cast<FailoverReason>(i))];
  for (std::size_t i = 0; i < kFailovers; ++i) ++words[name(static_cast<Failover>(i))];
  CHECK(words.size() == kFailoverReasons + kFailovers);
  CHECK(!words.contains(""));
}
