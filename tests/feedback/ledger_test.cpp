// The ledger: each life of a flow, as a row of reports and the figures that they make.
#include <doctest/doctest.h>

#include <vector>

#include "lives.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

using enum TcpState;
constexpr Kind kNew = Kind::New, kUpdate = Kind::Update, kDestroy = Kind::Destroy,
               kListed = Kind::Listed;
constexpr std::uint8_t kUdp = protocol::kUdp;

// What happens at a time, in milliseconds.
struct Step {
  enum What { Tell, Tick, Lose, Begin, End } what = Tell;
  std::int64_t ms = 0;
  Report report{};
};
constexpr Step tell(std::int64_t ms, Report report) {
  return {Step::Tell, ms, report};
}
constexpr Step tick(std::int64_t ms) {
  return {Step::Tick, ms, {}};
}
constexpr Step lose(std::int64_t ms) {
  return {Step::Lose, ms, {}};
}
constexpr Step kBegin{Step::Begin, 0, {}}, kEnd{Step::End, 0, {}};

struct Figures {
  std::uint64_t active, total, failed, packets, unknown, samples, latency_us;
  std::size_t flows;  // that the ledger remembers
};

struct Life {
  const char* name;
  std::vector<Step> steps;
  Figures want;
};

void play(Book& book, const Step& step) {
  const Instant now = at_ms(step.ms);
  if (step.what == Step::Tell) book.ledger.apply(step.report.made(), now);
  if (step.what == Step::Tick) book.ledger.tick(now);
  if (step.what == Step::Lose) book.ledger.lose(now);
  if (step.what == Step::Begin) book.ledger.begin_listing();
  if (step.what == Step::End) book.ledger.end_listing(now);
}

Figures figures(const Book& book) {
  const ServerFigures got = book.records.read(1);
  const auto latency = got.latencies.summary();
  CHECK(got.volume.bytes == got.volume.packets * 100);
  return {got.active,
          got.total,
          got.failed,
          got.volume.packets,
          book.ledger.unknown(),
          latency.samples,
          latency.avg_us,
          book.ledger.flows()};
}

const std::vector<Life> kLives = {
    // name, {what happens}, {active total failed packets unknown samples latency_us flows}
    {"TCP opens",
     {tell(0, {kNew, SynSent}), tell(20, {kUpdate, SynReceived, true})},
     {1, 1, 0, 0, 0, 1, 20'000, 1}},
    {"TCP closes at the first FIN",
     {tell(0, {kNew, SynSent}), tell(20, {kUpdate, SynReceived, true}),
      tell(40, {kUpdate, Established, true}), tell(60, {kUpdate, FinWait, true})},
     {0, 1, 0, 0, 0, 1, 20'000, 1}},
    {"TCP, all of it",
     {tell(0, {kNew, SynSent}), tell(20, {kUpdate, SynReceived, true}),
      tell(60, {kUpdate, FinWait, true}), tell(61, {kUpdate, LastAck, true}),
      tell(62, {kUpdate, TimeWait, true}), tell(120'000, {kDestroy, TimeWait, true, 12})},
     {0, 1, 0, 12, 0, 1, 20'000, 0}},
    {"TCP, the server sends RST to the open connection",
     {tell(0, {kNew, SynSent}), tell(20, {kUpdate, SynReceived, true}),
      tell(60, {kUpdate, Close, true}), tell(61, {kDestroy, Close, true, 5})},
     {0, 1, 0, 5, 0, 1, 20'000, 0}},
    {"TCP, the connection times out",
     {tell(0, {kNew, SynSent}), tell(20, {kUpdate, SynReceived, true}),
      tell(60, {kDestroy, Established, true, 5})},
     {0, 1, 0, 5, 0, 1, 20'000, 0}},
    {"TCP, refused: RST to the SYN",
     {tell(0, {kNew, SynSent}), tell(1, {kDestroy, Close, false, 2})},
     {0, 1, 1, 2, 0, 0, 0, 0}},
    {"TCP, the client gives up before any answer",
     {tell(0, {kNew, SynSent}), tell(1, {kUpdate, Close}), tell(9, {kDestroy, Close})},
     {0, 1, 1, 0, 0, 0, 0, 0}},
    {"TCP, silent for less than the limit",
     {tell(0, {kNew, SynSent}), tick(4'999)},
     {1, 1, 0, 0, 0, 0, 0, 1}},
    {"TCP, silent: failed, but still there",
     {tell(0, {kNew, SynSent}), tick(5'000)},
     {1, 1, 1, 0, 0, 0, 0, 1}},
    {"TCP, silent: failed once",
     {tell(0, {kNew, SynSent}), tick(5'000), tick(6'000),
      tell(120'000, {kDestroy, SynSent, false, 6})},
     {0, 1, 1, 6, 0, 0, 0, 0}},
    {"TCP, answered in time",
     {tell(0, {kNew, SynSent}), tell(4'000, {kUpdate, SynReceived, true}), tick(9'000)},
     {1, 1, 0, 0, 0, 1, 4'000'000, 1}},
    {"TCP, refused, and the same tuple again: each has its own time",
     {tell(0, {kNew, SynSent}), tell(1, {kDestroy, Close}), tell(4'000, {kNew, SynSent}),
      tick(5'500)},
     {1, 2, 1, 0, 0, 0, 0, 1}},
    {"UDP, answered",
     {tell(0, {kNew, None, false, 0, 0, kUdp}), tell(3, {kUpdate, None, true, 0, 0, kUdp}),
      tick(30'000), tell(30'003, {kDestroy, None, true, 2, 0, kUdp})},
     {0, 1, 0, 2, 0, 1, 3'000, 0}},
    {"UDP, the second reply is no sample",
     {tell(0, {kNew, None, false, 0, 0, kUdp}), tell(3, {kUpdate, None, true, 0, 0, kUdp}),
      tell(9, {kUpdate, None, true, 0, 0, kUdp})},
     {1, 1, 0, 0, 0, 1, 3'000, 1}},
    {"UDP, never answered: known when it ends",
     {tell(0, {kNew, None, false, 0, 0, kUdp}), tick(29'000)},
     {1, 1, 0, 0, 0, 0, 0, 1}},
    {"UDP, never answered: failed",
     {tell(0, {kNew, None, false, 0, 0, kUdp}), tell(30'000, {kDestroy, None, false, 4, 0, kUdp})},
     {0, 1, 1, 4, 0, 0, 0, 0}},
    {"the reply was seen, its update was not",
     {tell(0, {kNew, SynSent}), tell(60, {kDestroy, TimeWait, true, 5})},
     {0, 1, 0, 5, 0, 0, 0, 0}},

    // Stamps, in the kernel's time, that is ahead of ours by any span.
    {"stamps that are further apart than any clock is old",
     {tell(0, {kNew, SynSent, false, 0, 1}),
      tell(20, {kUpdate, SynReceived, true, 0, 10'000'000'000'000})},
     {1, 1, 0, 0, 0, 1, 20'000, 1}},
    {"latency by the kernel's stamps",
     {tell(0, {kNew, SynSent, false, 0, 900'000}),
      tell(45, {kUpdate, SynReceived, true, 0, 900'030})},
     {1, 1, 0, 0, 0, 1, 30'000, 1}},
    {"one stamp alone is none",
     {tell(0, {kNew, SynSent, false, 0, 900'000}), tell(45, {kUpdate, SynReceived, true})},
     {1, 1, 0, 0, 0, 1, 45'000, 1}},
    {"the clock was set forward between the stamps",
     {tell(0, {kNew, SynSent, false, 0, 900'000}),
      tell(45, {kUpdate, SynReceived, true, 0, 4'500'030})},
     {1, 1, 0, 0, 0, 1, 47'000, 1}},
    {"the clock was set back between the stamps",
     {tell(0, {kNew, SynSent, false, 0, 900'000}),
      tell(45, {kUpdate, SynReceived, true, 0, 899'000})},
     {1, 1, 0, 0, 0, 1, 45'000, 1}},

    // Waits in the queue, between the first stamp and the report; and late reading.
    {"waited for 400 ms, answered after 1 ms",
     {tell(400, {kNew, SynSent, false, 0, 900'000}),
      tell(401, {kUpdate, SynReceived, true, 0, 900'401})},
     {1, 1, 0, 0, 0, 1, 3'000, 1}},
    {"waited for 3 s, answered after 1 ms",
     {tell(3'000, {kNew, SynSent, false, 0, 900'000}),
      tell(3'001, {kUpdate, SynReceived, true, 0, 903'001})},
     {1, 1, 0, 0, 0, 1, 3'000, 1}},
    {"waited for 400 ms, answered after 50 ms, which was read 1 ms late",
     {tell(400, {kNew, SynSent, false, 0, 900'000}),
      tell(451, {kUpdate, SynReceived, true, 0, 900'450})},
     {1, 1, 0, 0, 0, 1, 53'000, 1}},
    {"waited for 2 ms, answered after 5 ms: no more than the stamps say",
     {tell(2, {kNew, SynSent, false, 0, 900'000}),
      tell(7, {kUpdate, SynReceived, true, 0, 900'007})},
     {1, 1, 0, 0, 0, 1, 7'000, 1}},
    {"answered after 2 ms, and both were read in one batch",
     {tell(2, {kNew, SynSent, false, 0, 900'000}),
      tell(2, {kUpdate, SynReceived, true, 0, 900'002})},
     {1, 1, 0, 0, 0, 1, 2'000, 1}},
    {"answered after 1 ms, and the reply was read 900 ms late",
     {tell(0, {kNew, SynSent, false, 0, 900'000}),
      tell(901, {kUpdate, SynReceived, true, 0, 900'001})},
     {1, 1, 0, 0, 0, 1, 1'000, 1}},

    // Clashes, doubles, losses.
    {"a hidden entry of a clash: update and end without a beginning",
     {tell(0, {kUpdate, None, true, 0, 0, kUdp}), tell(9, {kDestroy, None, true, 1, 0, kUdp})},
     {0, 0, 0, 0, 2, 0, 0, 0}},
    {"an end that is told twice",
     {tell(0, {kNew, SynSent}), tell(1, {kDestroy, Close}), tell(2, {kDestroy, Close})},
     {0, 1, 1, 0, 1, 0, 0, 0}},
    {"a beginning without the end of the one before: that has ended",
     {tell(0, {kNew, SynSent}), tell(1, {kUpdate, SynReceived, true}), tell(9, {kNew, SynSent})},
     {1, 2, 0, 0, 0, 1, 1'000, 1}},
    {"marks that are no server's",
     {tell(0, {kNew, SynSent, false, 0, 0, kUdp, 1, 0}),
      tell(0, {kNew, SynSent, false, 0, 0, kUdp, 2, 4094}),
      tell(0, {kListed, SynSent, false, 0, 0, kUdp, 3, 65535})},
     {0, 0, 0, 0, 0, 0, 0, 0}},

    // Listings.
    {"the first listing: active, but of an earlier time",
     {kBegin, tell(0, {kListed, Established, true, 50}), kEnd},
     {1, 0, 0, 0, 0, 0, 0, 1}},
    {"the first listing: what is over is not active",
     {kBegin, tell(0, {kListed, TimeWait, true, 50}), kEnd,
      tell(9, {kDestroy, TimeWait, true, 50})},
     {0, 0, 0, 0, 0, 0, 0, 0}},
    {"of an earlier time: counted is what comes from now on",
     {kBegin, tell(0, {kListed, Established, true, 50}), kEnd, tell(9, {kUpdate, FinWait, true}),
      tell(99, {kDestroy, TimeWait, true, 60})},
     {0, 0, 0, 10, 0, 0, 0, 0}},
    {"of an earlier time and unanswered: its failure is not counted either",
     {kBegin, tell(0, {kListed, SynSent}), kEnd, tick(5'000)},
     {1, 0, 0, 0, 0, 0, 0, 1}},
    {"of an earlier time and refused: the same",
     {kBegin, tell(0, {kListed, SynSent}), kEnd, tell(9, {kDestroy, Close, false, 2})},
     {0, 0, 0, 2, 0, 0, 0, 0}},
    {"of an earlier time: no latency, its beginning was not seen",
     {kBegin, tell(0, {kListed, SynSent}), kEnd, tell(9, {kUpdate, SynReceived, true})},
     {1, 0, 0, 0, 0, 0, 0, 1}},
    {"a beginning was lost: a later listing has it",
     {kBegin, kEnd, kBegin, tell(0, {kListed, Established, true, 50}), kEnd},
     {1, 1, 0, 50, 0, 0, 0, 1}},
    {"a beginning was lost: its update changes nothing before the listing",
     {kBegin, kEnd, tell(0, {kUpdate, Established, true}), kBegin,
      tell(0, {kListed, Established, true, 50}), kEnd},
     {1, 1, 0, 50, 1, 0, 0, 1}},
    {"an end was lost: missing in the listing",
     {tell(0, {kNew, SynSent}), tell(20, {kUpdate, SynReceived, true}), kBegin, kEnd},
     {0, 1, 0, 0, 0, 1, 20'000, 1}},
    {"an end was lost: forgotten after a second listing",
     {tell(0, {kNew, SynSent}), tell(20, {kUpdate, SynReceived, true}), kBegin, kEnd, kBegin, kEnd},
     {0, 1, 0, 0, 0, 1, 20'000, 0}},
    {"missing in the listing, and the end is told late",
     {tell(0, {kNew, SynSent}), kBegin, kEnd, tell(9, {kDestroy, Close, false, 7})},
     {0, 1, 1, 7, 0, 0, 0, 0}},
    {"missing in one listing, but there in the next",
     {tell(0, {kNew, SynSent}), kBegin, kEnd, kBegin, tell(9, {kListed, Established, true}), kEnd},
     {1, 1, 0, 0, 0, 0, 0, 1}},
    {"begun during the listing, which does not have it",
     {kBegin, tell(0, {kNew, SynSent}), kEnd},
     {1, 1, 0, 0, 0, 0, 0, 1}},
    {"begun during the listing, which has it before it is told",
     {kBegin, tell(0, {kListed, SynSent}), tell(1, {kNew, SynSent}),
      tell(21, {kUpdate, SynReceived, true}), kEnd},
     {1, 1, 0, 0, 0, 1, 20'000, 1}},
    {"the same, in a later listing",
     {kBegin, kEnd, kBegin, tell(0, {kListed, SynSent}), tell(1, {kNew, SynSent}),
      tell(21, {kUpdate, SynReceived, true}), kEnd},
     {1, 1, 0, 0, 0, 1, 20'000, 1}},
    {"begun and over before the listing has it, which is told before",
     {kBegin, kEnd, kBegin, tell(0, {kListed, TimeWait, true, 9}), tell(1, {kNew, SynSent}),
      tell(2, {kUpdate, SynReceived, true}), tell(3, {kUpdate, TimeWait, true}), kEnd},
     {0, 1, 0, 9, 0, 1, 1'000, 1}},
    {"ended during the listing, which had it before and is read after",
     {tell(0, {kNew, SynSent}), tell(20, {kUpdate, SynReceived, true}), kBegin,
      tell(30, {kDestroy, Close, true}), tell(31, {kListed, Established, true}), kEnd},
     {0, 1, 0, 0, 0, 1, 20'000, 0}},
    {"the same, of a flow that was not known",
     {kBegin, tell(30, {kDestroy, Close, true}), tell(31, {kListed, Established, true}), kEnd},
     {0, 0, 0, 0, 1, 0, 0, 0}},
    {"over during the listing, of a flow that was not known",
     {kBegin, tell(30, {kUpdate, FinWait, true}), tell(31, {kListed, Established, true}), kEnd},
     {0, 0, 0, 0, 1, 0, 0, 0}},
    {"ended and begun again during the listing",
     {kBegin, kEnd, kBegin, tell(30, {kDestroy, Close, true}), tell(31, {kNew, SynSent}),
      tell(32, {kListed, SynSent}), kEnd},
     {1, 1, 0, 0, 1, 0, 0, 1}},
    {"over, and listed as it was before",
     {tell(0, {kNew, SynSent}), kBegin, tell(1, {kUpdate, FinWait, true}),
      tell(2, {kListed, Established, true}), kEnd},
     {0, 1, 0, 0, 0, 1, 1'000, 1}},
    {"the reply was lost: a listing has seen it",
     {tell(0, {kNew, SynSent}), kBegin, tell(2, {kListed, Established, true}), kEnd, tick(6'000)},
     {1, 1, 0, 0, 0, 0, 0, 1}},
    {"the reply was lost: a later update is no measure of it",
     {tell(0, {kNew, SynSent}), lose(90), tell(900, {kUpdate, FinWait, true})},
     {0, 1, 0, 0, 0, 0, 0, 1}},
    {"what began after the loss is measured",
     {lose(90), tell(100, {kNew, SynSent}), tell(120, {kUpdate, SynReceived, true})},
     {1, 1, 0, 0, 0, 1, 20'000, 1}},
    {"a listing that was given up changes nothing",
     {tell(0, {kNew, SynSent}), kBegin, kBegin, tell(1, {kListed, SynSent}), kEnd},
     {1, 1, 0, 0, 0, 0, 0, 1}},
    {"a close was lost: the listing has it",
     {tell(0, {kNew, SynSent}), tell(20, {kUpdate, SynReceived, true}), kBegin,
      tell(90, {kListed, TimeWait, true}), kEnd},
     {0, 1, 0, 0, 0, 1, 20'000, 1}},
    {"volume: never less than before",
     {tell(0, {kNew, SynSent}), kBegin, tell(2, {kListed, Established, true, 10}),
      tell(3, {kListed, Established, true, 8}), kEnd},
     {1, 1, 0, 10, 0, 0, 0, 1}},
    {"volume: each packet once, also where a listing is older than what is known",
     {tell(0, {kNew, SynSent}), kBegin, tell(1, {kListed, SynSent, false, 3}), kEnd, kBegin,
      tell(2, {kListed, Established, true, 10}), tell(3, {kListed, Established, true, 8}), kEnd,
      tell(9, {kDestroy, TimeWait, true, 12})},
     {0, 1, 0, 12, 0, 0, 0, 0}},
};

}  // namespace

TEST_CASE("FlowLedger: the lives of a flow") {
  for (const Life& life : kLives) {
    Book book;
    for (const Step& step : life.steps) play(book, step);
    const Figures got = figures(book);
    INFO(life.name);
    CHECK(got.active == life.want.active);
    CHECK(got.total == life.want.total);
    CHECK(got.failed == life.want.failed);
    CHECK(got.packets == life.want.packets);
    CHECK(got.unknown == life.want.unknown);
    CHECK(got.samples == life.want.samples);
    CHECK(got.latency_us == life.want.latency_us);
    CHECK(got.flows == life.want.flows);
  }
}

TEST_CASE("FlowLedger: bytes that go back are not counted") {
  Book book;
  FlowReport report = Report{kNew, SynSent}.made();
  book.ledger.apply(report, at_ms(0));
  report.kind = kListed;
  for (const Volume& told : {Volume{5, 500}, Volume{6, 499}, Volume{7, 700}}) {
    report.volume = told;
    book.ledger.begin_listing();
    book.ledger.apply(report, at_ms(1));
    book.ledger.end_listing(at_ms(1));
    CHECK(book.records.read(1).volume.bytes == (told.bytes == 499 ? 500 : told.bytes));
  }
}

TEST_CASE("FlowLedger: when the last flow began, by the clock of workers") {
  Book book;
  book.ledger.apply(Report{}.made(), at_ms(5'900));
  CHECK(book.records.read(1).last_s == 1'005);
  book.ledger.apply(Report{kUpdate, SynReceived, true}.made(), at_ms(9'000));
  CHECK(book.records.read(1).last_s == 1'005);
  CHECK(book.gauges[1].sampled_s == 1'009);
}

TEST_CASE("FlowLedger: the gauge's latency goes up at once and comes down slowly") {
  static constexpr struct {
    std::int64_t after_ms;  // the sample before
    std::int64_t latency_ms;
    std::uint32_t want_us;
    const char* remark;
  } kSamples[] = {
      {0, 100, 100'000, "the first"},
      {1, 400, 400'000, "up at once"},
      {0, 100, 370'000, "down by a tenth, at the same moment"},
      {10'000, 100, 199'328, "by 1 - 1/e in 10 s"},
      {600'000, 50, 50'000, "all the way after long"},
      {5, 50, 50'000, ""},
  };
  Book book;
  std::int64_t now_ms = 0;
  std::uint32_t flow = 0;
  for (const auto& sample : kSamples) {
    now_ms += sample.after_ms;
    Report report{.flow = ++flow};
    book.ledger.apply(report.made(), at_ms(now_ms - sample.latency_ms));
    report.kind = kUpdate;
    report.replied = true;
    book.ledger.apply(report.made(), at_ms(now_ms));
    INFO(sample.remark);
    CHECK(std::abs(static_cast<int>(book.gauges[1].latency_us) -
                   static_cast<int>(sample.want_us)) <= 1);
  }
}

TEST_CASE("FlowLedger: to the gauge a failure is twice the latency, or that of the time-out") {
  static const struct {
    const char* name;
    std::vector<Step> steps;
    std::uint32_t want_us, want_sampled_s;
  } kFailures[] = {
      {"refused", {tell(0, {kNew}), tell(2'000, {kDestroy, Close})}, 5'000'000, 1'002},
      {"silent", {tell(0, {kNew}), tick(5'000)}, 5'000'000, 1'005},
      {"silent: one sample", {tell(0, {kNew}), tick(5'000), tick(9'000)}, 5'000'000, 1'005},
      {"silent, of an earlier time",
       {kBegin, tell(0, {kListed, SynSent}), kEnd, tick(5'000)},
       5'000'000,
       1'005},
      {"answered", {tell(0, {kNew}), tell(2, {kUpdate, SynReceived, true})}, 2'000, 1'000},
      {"fast before",
       {tell(0, {kNew}), tell(2, {kUpdate, SynReceived, true}),
        tell(3, {kNew, None, false, 0, 0, kUdp, 2}),
        tell(30'003, {kDestroy, None, false, 1, 0, kUdp, 2})},
       4'000,
       1'030},
  };
  for (const auto& failure : kFailures) {
    Book book;
    for (const Step& step : failure.steps) play(book, step);
    INFO(failure.name);
    CHECK(book.gauges[1].latency_us.load() == failure.want_us);
    CHECK(book.gauges[1].sampled_s.load() == failure.want_sampled_s);
    CHECK(book.records.read(1).latencies.summary().max_us < 5'000'000);
  }
}

TEST_CASE("find_stale: UDP flows of servers that flows must not go to") {
  const WhyStale why = [](ServerId id, bool replied) -> std::optional<std::string> {
    if (id == 7) return "its server web/a is gone";
    if (id == 9 && !replied) return "its server web/c is down";
    return std::nullopt;
  };
  static const struct {
    Report report;
    const char* want;  // nullptr: it stays
  } kCases[] = {
      {{kListed, None, true, 0, 0, kUdp, 5, 7}, "its server web/a is gone"},
      {{kListed, None, true, 0, 0, kUdp, 5, 8}, nullptr},
      {{kListed, None, false, 0, 0, kUdp, 5, 9}, "its server web/c is down"},
      {{kListed, None, true, 0, 0, kUdp, 5, 9}, nullptr},  // which it has answered
      {{kListed, Established, true, 0, 0, protocol::kTcp, 5, 7}, nullptr},
      {{kListed, None, true, 0, 0, protocol::kIcmp, 5, 7}, nullptr},
  };
  for (const auto& [report, want] : kCases) {
    const FlowReport listed = report.made();
    const auto stale = find_stale(listed, why);
    REQUIRE(stale.has_value() == (want != nullptr));
    if (!stale) continue;
    CHECK(stale->reason == want);
    CHECK(stale->tuple == listed.tuple);
    CHECK(flow_id(stale->key) == 5);
  }
}
