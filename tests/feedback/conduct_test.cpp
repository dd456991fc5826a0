#include <doctest/doctest.h>

#include <deque>
#include <random>
#include <string_view>

#include "lives.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

// What becomes of flows: a answered, f failed, r reset at once, e ended well, ! forgiven.
void play(Conduct& conduct, std::string_view events) {
  for (const char event : events) {
    if (event == 'a') conduct.answer();
    if (event == 'f') conduct.fail();
    if (event == 'r') conduct.reset();
    if (event == 'e') conduct.finish();
    if (event == '!') conduct.forgive();
  }
}

}  // namespace

TEST_CASE("conduct: failures in a row") {
  struct Case {
    std::string_view events;
    std::uint32_t failures, seen, failed;
  };
  static constexpr Case kCases[] = {
      {"", 0, 0, 0},       {"a", 0, 1, 0},    {"f", 1, 1, 1},    {"fff", 3, 3, 3},
      {"ffaf", 1, 4, 3},   {"ffe", 2, 2, 2},  // who refuses ends nothing well
      {"ararar", 3, 6, 3},                    // answers are no sign for who resets what it accepts
      {"arare", 0, 4, 2},  {"ffrr", 2, 4, 4}, {"ff!f", 1, 3, 3}, {"rr!", 0, 2, 2},
  };
  for (const Case& one : kCases) {
    CAPTURE(one.events);
    Conduct conduct;
    play(conduct, one.events);
    CHECK(conduct.failures() == one.failures);
    CHECK(conduct.seen() == one.seen);
    CHECK(conduct.failed() == one.failed);
  }
}

TEST_CASE("conduct: of the last hundred flows") {
  std::mt19937 random(3);
  Conduct conduct;
  std::deque<bool> last;
  for (int i = 0; i < 10'000; ++i) {
    const bool is_failure = random() % 3 == 0;
    is_failure ? conduct.fail() : conduct.answer();
    last.push_back(is_failure);
    if (last.size() > Conduct::kWindow) last.pop_front();
    CHECK(conduct.seen() == last.size());
    CHECK(conduct.failed() ==
          static_cast<std::uint32_t>(std::count(last.begin(), last.end(), true)));
  }
}

TEST_CASE("FlowLedger: flows that fail bar their server") {
  using enum TcpState;
  const auto refused = [](Book& book, std::uint32_t flow) {
    book.ledger.apply(Report{Kind::New, SynSent, false, 0, 0, protocol::kTcp, flow}.made(),
                      at_ms(0));
    book.ledger.apply(Report{Kind::Destroy, Close, false, 2, 0, protocol::kTcp, flow}.made(),
                      at_ms(1));
  };
  const auto answered = [](Book& book, std::uint32_t flow) {
    book.ledger.apply(Report{Kind::New, SynSent, false, 0, 0, protocol::kTcp, flow}.made(),
                      at_ms(0));
    book.ledger.apply(Report{Kind::Update, SynReceived, true, 0, 0, protocol::kTcp, flow}.made(),
                      at_ms(1));
  };
  // The server accepts, and resets; then its entry has so much of the server.
  const auto reset = [&](Book& book, std::uint32_t flow, std::uint64_t packets,
                         std::uint64_t bytes) {
    answered(book, flow);
    FlowReport report = Report{Kind::Update, Close, true, 0, 0, protocol::kTcp, flow}.made();
    book.ledger.apply(report, at_ms(2));
    const auto asked = book.ledger.take_to_look_at();
    REQUIRE(asked.size() == 1);
    CHECK(asked[0] == report.tuple);
    report.kind = Kind::Listed;
    report.volume = Volume{packets + 2, bytes + 100};
    report.answers = {packets, bytes};
    book.ledger.look_at(report);
  };
  const auto udp = [](Book& book, std::uint32_t flow, bool replied) {
    book.ledger.apply(Report{Kind::New, None, false, 0, 0, protocol::kUdp, flow}.made(), at_ms(0));
    if (replied)
      book.ledger.apply(Report{Kind::Update, None, true, 0, 0, protocol::kUdp, flow}.made(),
                        at_ms(1));
    book.ledger.apply(Report{Kind::Destroy, None, replied, 1, 0, protocol::kUdp, flow}.made(),
                      at_ms(30'000));
  };

  Book book;
  book.gauges.set_patience(1, 2);
  SUBCASE("so many in a row") {
    refused(book, 1);
    CHECK(!book.gauges.is_barred(1));
    CHECK(!book.ledger.take_alarm());
    answered(book, 2);
    refused(book, 3);
    CHECK(!book.gauges.is_barred(1));
    refused(book, 4);
    CHECK(book.gauges.is_barred(1));
    CHECK(book.ledger.take_alarm());
    CHECK(!book.ledger.take_alarm());
    book.gauges.forgive(1);
    refused(book, 5);  // the first of a new row
    CHECK(!book.gauges.is_barred(1));
  }
  SUBCASE("TCP that is never answered") {
    for (const std::uint32_t flow : {1u, 2u})
      book.ledger.apply(Report{Kind::New, SynSent, false, 0, 0, protocol::kTcp, flow}.made(),
                        at_ms(0));
    book.ledger.tick(at_ms(4'999));
    CHECK(!book.gauges.is_barred(1));
    book.ledger.tick(at_ms(5'000));
    CHECK(book.gauges.is_barred(1));
  }
  SUBCASE("TCP that is reset at once, between flows that are answered") {
    reset(book, 1, 2, 100);
    reset(book, 2, 3, 152);
    CHECK(book.gauges.is_barred(1));
  }
  SUBCASE("TCP that was reset after it was served") {
    for (std::uint32_t flow = 1; flow < 9; ++flow) reset(book, flow, 5, 5'000);
    for (std::uint32_t flow = 10; flow < 19; ++flow) reset(book, flow, 3, 600);
    CHECK(!book.gauges.is_barred(1));
  }
  SUBCASE("TCP that its client has reset at once") {
    for (std::uint32_t flow = 1; flow < 9; ++flow) reset(book, flow, 1, 60);
    CHECK(!book.gauges.is_barred(1));
  }
  SUBCASE("TCP that is reset later is not looked at, nor more than so much at once") {
    answered(book, 1);
    book.ledger.apply(Report{Kind::Update, Close, true, 0, 0, protocol::kTcp, 1}.made(),
                      at_ms(5'000));
    CHECK(book.ledger.take_to_look_at().empty());
    for (std::uint32_t flow = 2; flow < 100; ++flow) {
      answered(book, flow);
      book.ledger.apply(Report{Kind::Update, Close, true, 0, 0, protocol::kTcp, flow}.made(),
                        at_ms(2));
    }
    CHECK(book.ledger.take_to_look_at().size() == FlowLedger::kToLookAtMax);
    CHECK(book.ledger.take_to_look_at().empty());
  }
  SUBCASE("UDP to a server that never answers any") {
    for (std::uint32_t flow = 1; flow < 9; ++flow) udp(book, flow, false);
    CHECK(!book.gauges.is_barred(1));
  }
  SUBCASE("UDP to a server that has answered") {
    udp(book, 1, true);
    udp(book, 2, false);
    udp(book, 3, false);
    CHECK(book.gauges.is_barred(1));
  }
  SUBCASE("flows of before the first listing are no sign") {
    book.ledger.begin_listing();
    for (const std::uint32_t flow : {1u, 2u})
      book.ledger.apply(Report{Kind::Listed, SynSent, false, 1, 0, protocol::kTcp, flow}.made(),
                        at_ms(0));
    book.ledger.end_listing(at_ms(0));
    book.ledger.tick(at_ms(6'000));
    CHECK(!book.gauges.is_barred(1));
  }
}

TEST_CASE("records: a server is suspect when a fifth of its last flows failed, of ten at least") {
  struct Case {
    std::uint64_t seen, failed;
    bool want;
  };
  static constexpr Case kCases[] = {{0, 0, false},   {9, 9, false},    {10, 1, false},
                                    {10, 2, true},   {100, 19, false}, {100, 20, true},
                                    {100, 100, true}};
  for (const auto& [seen, failed, want] : kCases) {
    ServerRecords records;
    CHECK(!records.is_suspect(1));
    records[1].recent_seen.set(seen);
    records[1].recent_failed.set(failed);
    CHECK(records.is_suspect(1) == want);
  }
}
