// The ledger against a plain model, with flows in random order, reports that get
// lost, and listings that are older than what is read beside them.
#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <random>
#include <vector>

#include "lives.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

constexpr ServerId kServers = 3;

// A kernel with flows of its own, and a socket that the ledger reads late, and
// that may overflow.
class Kernel {
 public:
  Kernel(std::uint64_t seed, bool reuses_keys) : random_(seed), reuses_keys_(reuses_keys) {}

  std::size_t chance(std::size_t of) { return random_() % of; }
  void overflow(bool on) { overflows_ = on; }

  void open() {
    Report flow{.protocol = chance(2) ? protocol::kTcp : protocol::kUdp,
                .flow = ++flows_begun_,
                .server = static_cast<ServerId>(1 + chance(kServers))};
    if (reuses_keys_ && !reused_.empty() && chance(4) == 0) {
      flow.flow = reused_.back().first;
      flow.protocol = reused_.back().second;
      reused_.pop_back();
    }
    flow.state = flow.protocol == protocol::kTcp ? TcpState::SynSent : TcpState::None;
    entries_[flow.flow] = flow;
    ++total_[flow.server];
    send(flow, Kind::New);
  }

  // Something happens to one of the flows.
  void go_on() {
    if (entries_.empty()) return;
    const auto found = entries_.lower_bound(static_cast<std::uint32_t>(chance(flows_begun_ + 1)));
    if (found == entries_.end()) return;
    Report& flow = found->second;
    flow.packets += 1 + chance(5);
    switch (chance(4)) {
      case 0:
        flow.replied = true;
        if (flow.state == TcpState::SynSent) flow.state = TcpState::Established;
        return send(flow, Kind::Update);
      case 1:
        if (!flow.replied || flow.state != TcpState::Established) return;
        flow.state = TcpState::FinWait;
        return send(flow, Kind::Update);
      case 2:
        return end(found);
      default:
        return;
    }
  }

  void end_all() {
    while (!entries_.empty()) end(entries_.begin());
  }

  // The ledger reads up to so many reports.
  void read(Book& book, Instant now, std::size_t count = ~std::size_t{0}) {
    for (; count != 0 && !socket_.empty(); --count, socket_.pop_front())
      book.ledger.apply(socket_.front(), now);
  }

  // As the kernel does it: in parts, each made one step before it is read.
  void list(Book& book, Instant now) {
    book.ledger.begin_listing();
    std::vector<FlowReport> made;
    for (std::uint32_t at = 0, end = flows_begun_ + 1; at <= end; at += 5) {
      for (const FlowReport& report : made) book.ledger.apply(report, now);
      made.clear();
      for (auto entry = entries_.lower_bound(at); entry != entries_.lower_bound(at + 5); ++entry)
        made.push_back(report_of(entry->second, Kind::Listed));
      for (std::size_t i = chance(8); i > 0; --i) chance(3) == 0 ? open() : go_on();
      read(book, now, chance(10));
    }
    for (const FlowReport& report : made) book.ledger.apply(report, now);
    read(book, now);
    book.ledger.end_listing(now);
  }

  void check(const Book& book, bool is_exact) {
    std::map<ServerId, std::uint64_t> active;
    for (const auto& [number, flow] : entries_) active[flow.server] += !is_over(flow.state);
    for (ServerId id = 1; id <= kServers; ++id) {
      const ServerFigures got = book.records.read(id);
      REQUIRE(got.active == active[id]);
      if (!is_exact) continue;
      REQUIRE(got.total == total_[id]);
      REQUIRE(got.failed == failed_[id]);
      if (entries_.empty()) REQUIRE(got.volume.packets == packets_[id]);
    }
  }

 private:
  void end(std::map<std::uint32_t, Report>::iterator entry) {
    const Report& flow = entry->second;
    send(flow, Kind::Destroy);
    reused_.emplace_back(flow.flow, flow.protocol);
    packets_[flow.server] += flow.packets;
    if (!flow.replied) ++failed_[flow.server];
    entries_.erase(entry);
  }

  static FlowReport report_of(const Report& flow, Kind kind) {
    Report report = flow;
    report.kind = kind;
    if (kind == Kind::New || kind == Kind::Update) report.packets = 0;
    return report.made();
  }
  void send(const Report& flow, Kind kind) {
    if (!overflows_ || chance(3) != 0) socket_.push_back(report_of(flow, kind));
  }

  std::mt19937_64 random_;
  const bool reuses_keys_;
  bool overflows_ = false;
  std::uint32_t flows_begun_ = 0;
  std::map<std::uint32_t, Report> entries_;
  std::vector<std::pair<std::uint32_t, std::uint8_t>> reused_;  // whose keys come again
  std::deque<FlowReport> socket_;
  std::map<ServerId, std::uint64_t> total_, failed_, packets_;
};

void live_on(Kernel& kernel, Book& book, std::int64_t& now_ms, int steps) {
  for (int i = 0; i < steps; ++i) {
    kernel.chance(3) == 0 ? kernel.open() : kernel.go_on();
    if (kernel.chance(3) == 0) kernel.read(book, at_ms(++now_ms), kernel.chance(6));
  }
}

}  // namespace

TEST_CASE("FlowLedger: equal to the model while nothing is lost, also beside listings") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    const bool reuses_keys = seed % 2 == 0;  // a listing may be ahead: then totals are not exact
    Kernel kernel(seed, reuses_keys);
    Book book;
    std::int64_t now_ms = 0;
    book.ledger.begin_listing();
    book.ledger.end_listing(at_ms(now_ms));
    for (int round = 0; round < 10; ++round) {
      live_on(kernel, book, now_ms, 200);
      kernel.list(book, at_ms(++now_ms));
      kernel.check(book, !reuses_keys);
    }
    kernel.end_all();
    kernel.read(book, at_ms(++now_ms));
    kernel.check(book, !reuses_keys);
  }
}

TEST_CASE("FlowLedger: active flows are exact again when a listing follows a loss") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    Kernel kernel(seed, true);
    Book book;
    std::int64_t now_ms = 0;
    for (int round = 0; round < 10; ++round) {
      kernel.overflow(true);
      live_on(kernel, book, now_ms, 200);
      kernel.overflow(false);
      kernel.read(book, at_ms(++now_ms));
      kernel.list(book, at_ms(++now_ms));
      kernel.check(book, false);
      live_on(kernel, book, now_ms, 100);
      kernel.read(book, at_ms(++now_ms));
      kernel.check(book, false);
    }
  }
}
