// The gauges: what workers assign and the ledger settles, beside what really is.
#include <doctest/doctest.h>

#include <map>
#include <random>

#include "lives.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

constexpr std::int64_t kSecond_ms = 1'000;

}  // namespace

TEST_CASE("gauges: a flow is a load from its assignment to its end") {
  Book book;
  book.ledger.tick(at_ms(0));
  book.gauges.assign(1);
  CHECK(book.load(1) == 1);
  book.ledger.apply(Report{}.made(), at_ms(5));
  CHECK(book.load(1) == 1);
  for (int second = 1; second < 9; ++second) book.ledger.tick(at_ms(second * kSecond_ms));
  CHECK(book.load(1) == 1);
  book.ledger.apply(Report{.kind = Kind::Destroy}.made(), at_ms(9'500));
  CHECK(book.load(1) == 0);
}

TEST_CASE("gauges: an assignment that never comes is settled after 2 s, not before") {
  Book book;
  book.ledger.tick(at_ms(0));
  book.gauges.assign(1);
  book.ledger.tick(at_ms(1'000));
  book.ledger.tick(at_ms(2'000));
  CHECK(book.load(1) == 1);
  book.ledger.tick(at_ms(2'999));  // between two corrections
  CHECK(book.load(1) == 1);
  book.ledger.tick(at_ms(3'000));
  CHECK(book.load(1) == 0);
  book.ledger.apply(Report{}.made(), at_ms(3'100));  // it comes after all
  book.ledger.tick(at_ms(4'000));
  CHECK(book.load(1) == 1);
}

TEST_CASE("gauges: flows that nobody assigned are a load within a second") {
  Book book;
  book.ledger.tick(at_ms(0));
  for (std::uint32_t flow = 1; flow <= 5; ++flow)
    book.ledger.apply(Report{.flow = flow}.made(), at_ms(5));
  book.ledger.tick(at_ms(1'000));
  CHECK(book.load(1) == 5);
  for (std::uint32_t flow = 1; flow <= 5; ++flow)
    book.ledger.apply(Report{.kind = Kind::Destroy, .flow = flow}.made(), at_ms(1'500));
  CHECK(book.load(1) == 0);

  book.ledger.apply(Report{}.made(), at_ms(1'600));  // begins and ends between two corrections
  book.ledger.apply(Report{.kind = Kind::Destroy}.made(), at_ms(1'700));
  CHECK(book.gauges[1].load() == 0);
  book.ledger.tick(at_ms(2'000));
  CHECK(book.load(1) == 0);
}

TEST_CASE("gauges: the flows of the first listing are a load") {
  Book book;
  book.ledger.begin_listing();
  for (std::uint32_t flow = 1; flow <= 1'000; ++flow)
    book.ledger.apply(
        Report{.kind = Kind::Listed, .state = TcpState::Established, .replied = true, .flow = flow}
            .made(),
        at_ms(0));
  book.ledger.end_listing(at_ms(0));
  book.ledger.tick(at_ms(1));
  CHECK(book.load(1) == 1'000);
}

TEST_CASE("gauges: numbers that wrap") {
  Book book;
  book.gauges[1].assigned = 0xffff'fffe;
  book.gauges[1].settled = 0xffff'fffe;
  for (std::uint32_t flow = 1; flow <= 5; ++flow) {
    book.gauges.assign(1);
    book.ledger.apply(Report{.flow = flow}.made(), at_ms(flow));
  }
  for (int second = 0; second < 5; ++second) {
    book.ledger.tick(at_ms(second * kSecond_ms));
    CHECK(book.load(1) == 5);
  }
}

// Flows are assigned, or not; come late, or never; stay for a while. A load is never
// more than the active flows and what was assigned in the last 3 s, and after a
// correction never less than the active ones. When all is quiet it is exact.
TEST_CASE("gauges: random assignments, losses and strangers") {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    Book book;
    std::mt19937_64 random(seed);
    std::multimap<std::int64_t, Report> due;  // what the kernel will tell, and when
    std::vector<std::int64_t> assigned_ms;
    const std::uint64_t lost_of_10 = random() % 8, strangers_of_10 = random() % 4;
    std::uint32_t flow = 0;
    for (std::int64_t now = 0; now < 40'000; now += 10) {
      const bool is_busy = now < 30'000;
      for (std::uint64_t i = is_busy ? random() % 6 : 0; i > 0; --i) {
        const bool is_stranger = random() % 10 < strangers_of_10;
        if (!is_stranger) {
          book.gauges.assign(1);
          assigned_ms.push_back(now);
          if (random() % 10 < lost_of_10) continue;
        }
        const auto begin = now + static_cast<std::int64_t>(random() % 1'500);
        due.emplace(begin, Report{.flow = ++flow});
        if (random() % 10 != 0)  // some stay
          due.emplace(begin + static_cast<std::int64_t>(random() % 3'000),
                      Report{.kind = Kind::Destroy, .flow = flow});
      }
      for (; !due.empty() && due.begin()->first <= now; due.erase(due.begin()))
        book.ledger.apply(due.begin()->second.made(), at_ms(now));
      book.ledger.tick(at_ms(now));
      const auto active = static_cast<std::int32_t>(book.records.read(1).active);
      const auto recent = std::count_if(assigned_ms.begin(), assigned_ms.end(),
                                        [&](std::int64_t ms) { return ms > now - 3'010; });
      REQUIRE(book.load(1) <= active + static_cast<std::int32_t>(recent));
      if (now % kSecond_ms == 0) REQUIRE(book.load(1) >= active);
      if (now > 36'000) REQUIRE(book.load(1) == active);
    }
  }
}
