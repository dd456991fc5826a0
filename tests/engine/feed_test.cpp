// The feed with a real kernel, in a network namespace of the test's own.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <memory>

#include "../netlink/fresh_netns.hpp"
#include "../netlink/loopback.hpp"
#include "engine/feed.hpp"
#include "nfsteer/base/log.hpp"
#include "nfsteer/base/text.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

constexpr MarkLayout kLayout{0xfff00000};

// Flows to port 700N are server N's.
constexpr const char* kMarking = R"(
  table inet marking {
    chain output {
      type filter hook output priority 0;
      ct mark != 0 accept
      meta l4proto { tcp, udp } ct event set new,destroy,reply,protoinfo
      th dport 7001 ct mark set 0x00100000
      th dport 7002 ct mark set 0x00200000
    }
  }
)";

// A feed that holds server 2 to be gone.
struct Station {
  Gauges gauges;
  ServerRecords records;
  Feed feed;

  explicit Station(std::size_t buffer = netlink::ConntrackEvents::kBuffer)
      : feed(
            kLayout, gauges, records,
            [](ServerId id, bool) -> std::optional<std::string> {
              if (id == 2) return "its server web/b is gone";
              return std::nullopt;
            },
            [] {}, buffer) {
    log::set_level(log::Level::Error);
    feed.start();
    require(feed.reconcile(true).has_value(), "the first listing");
  }
  std::uint64_t active(ServerId id) const { return records.read(id).active; }
};

void set_up() {
  run("ip link set lo up && nft -f - 2>&1", kMarking);
}

std::vector<Fd> open_many(int count, int type, std::uint16_t port) {
  std::vector<Fd> sockets;
  for (int i = 0; i < count; ++i) sockets.push_back(opened(AF_INET, type, port));
  return sockets;
}

// Flows to server 1, until some were not heard of.
std::vector<Fd> overflow(const Station& station) {
  std::vector<Fd> sockets;
  for (int i = 0; i < 50 && station.feed.counts().overruns == 0; ++i) {
    auto more = open_many(500, SOCK_DGRAM, 7001);
    std::move(more.begin(), more.end(), std::back_inserter(sockets));
  }
  require(station.feed.counts().overruns > 0, "an overrun");
  return sockets;
}

// While it lives this process may not list, on any of its threads.
class NotPermitted {
 public:
  NotPermitted() { require(::seteuid(65534) == 0, "to be nobody"); }
  ~NotPermitted() { [[maybe_unused]] const int root = ::seteuid(0); }
};

}  // namespace

TEST_CASE("Feed: flows open, answer, fail, close; those of before are active") {
  const auto result = in_fresh_netns([]() -> std::string {
    set_up();
    const Fd server = listening(AF_INET, 7001);
    const auto before = open_many(3, SOCK_STREAM, 7001);
    Station station;
    wait_until([&] { return station.active(1) == 3; }, "three of before");
    auto now = open_many(5, SOCK_STREAM, 7001);
    wait_until([&] { return station.active(1) == 8; }, "eight active");
    wait_until([&] { return station.gauges[1].load() == 8; }, "eight in the gauge");
    now.clear();
    wait_until([&] { return station.active(1) == 3; }, "five closed");
    wait_until([&] { return station.gauges[1].load() == 3; }, "three in the gauge");
    const auto refused = open_many(2, SOCK_STREAM, 7002);
    wait_until([&] { return station.records.read(2).failed == 2; }, "two refused");
    const ServerFigures first = station.records.read(1), second = station.records.read(2);
    const auto latency = first.latencies.summary();
    require(latency.max_us < 1'000'000 && station.gauges[1].latency_us != 0, "a latency");
    require(station.gauges[2].latency_us == 5'000'000, "who refuses is slow");
    return format("{} {} {}, {} {}, {} unknown", first.total, first.failed, latency.samples,
                  second.total, second.active, station.feed.counts().unknown);
  });
  if (result) CHECK(*result == "5 0 5, 2 0, 0 unknown");
}

TEST_CASE("Feed: an overrun is followed by a listing, and active flows are exact") {
  const auto result = in_fresh_netns([]() -> std::string {
    set_up();
    Station station(4'096);
    const auto sockets = overflow(station);
    wait_until([&] { return station.feed.counts().resyncs > 0; }, "a resync");
    wait_until([&] { return station.active(1) == sockets.size(); }, "all active");
    const FeedCounts counts = station.feed.counts();
    require(counts.overruns > 0, "an overrun");
    require(station.records.read(1).total == sockets.size(), "all counted");
    return "exact";
  });
  if (result) CHECK(*result == "exact");
}

TEST_CASE("Feed: a loss is not forgotten when the listing fails") {
  const auto result = in_fresh_netns([]() -> std::string {
    set_up();
    Station station(4'096);
    std::vector<Fd> sockets;
    {
      const NotPermitted now;
      sockets = overflow(station);
      const auto before = station.feed.counts().resyncs;
      require(!station.feed.reconcile(true), "no listing");
      require(station.feed.counts().resyncs == before, "no resync");
    }
    wait_until([&] { return station.active(1) == sockets.size(); }, "all active");
    return format("{} resyncs", station.feed.counts().resyncs);
  });
  if (result) CHECK(*result == "1 resyncs");
}

TEST_CASE("Feed: each time that listings begin to fail is logged, and once") {
  const auto result = in_fresh_netns([]() -> std::string {
    set_up();
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> logged(std::tmpfile(), std::fclose);
    require(::dup2(::fileno(logged.get()), STDERR_FILENO) == STDERR_FILENO, "dup2");
    Station station;
    log::set_level(log::Level::Warning);
    const auto lines = [&] {
      std::array<char, 4096> text;
      const ssize_t size = ::pread(::fileno(logged.get()), text.data(), text.size(), 0);
      return std::count(text.data(), text.data() + size, '\n');
    };
    for (int failure = 1; failure <= 2; ++failure) {
      {
        const NotPermitted now;
        require(!station.feed.reconcile(true), "no listing");
        wait_until([&] { return lines() == failure; }, "it is logged");
      }
      require(station.feed.reconcile(true).has_value(), "a listing");
    }
    return format("{} lines", lines());
  });
  if (result) CHECK(*result == "2 lines");
}

TEST_CASE("Feed: who does not wait any more for stale flows to be deleted keeps them") {
  const auto result = in_fresh_netns([]() -> std::string {
    set_up();
    log::set_level(log::Level::Error);
    const Fd server = bound(AF_INET, SOCK_DGRAM, 7002);
    const auto flows = open_many(3, SOCK_DGRAM, 7002);
    Gauges gauges;
    ServerRecords records;
    std::atomic<bool> is_stuck = false;
    std::atomic<bool> is_gone = false;
    const auto why_stale = [&](ServerId, bool) -> std::optional<std::string> {
      is_stuck.wait(true);
      if (is_gone) return "gone";
      return std::nullopt;
    };
    Feed feed(kLayout, gauges, records, why_stale, [] {});
    feed.start();
    require(feed.reconcile(true).has_value(), "the first listing");
    is_gone = is_stuck = true;
    const auto late = feed.reconcile(false);
    is_stuck = false;
    is_stuck.notify_all();
    const auto left = feed.reconcile(true);
    require(!late && left, "an answer to the second alone");
    return format("{}; {} left", late.error().message, left->size());
  });
  if (result) CHECK(*result == "conntrack was not listed within 4 s; 3 left");
}

TEST_CASE("Feed: stale UDP flows are told, then deleted") {
  const auto result = in_fresh_netns([]() -> std::string {
    set_up();
    const Fd first = bound(AF_INET, SOCK_DGRAM, 7001), second = bound(AF_INET, SOCK_DGRAM, 7002);
    Station station;
    const auto stay = open_many(4, SOCK_DGRAM, 7001), go = open_many(3, SOCK_DGRAM, 7002);
    wait_until([&] { return station.active(1) == 4 && station.active(2) == 3; }, "all active");
    const auto would = station.feed.reconcile(true);
    require(would.has_value(), "a dry run");
    std::string told = format("{} {} {}", would->size(), would->front().reason, station.active(2));
    require(station.feed.reconcile(false).has_value(), "deleted");
    wait_until([&] { return station.active(2) == 0; }, "stale ones gone");
    require(station.feed.reconcile(false)->empty(), "nothing is left");
    return format("{}, {} deleted, {} stay", told, station.feed.counts().deleted,
                  station.active(1));
  });
  if (result) CHECK(*result == "3 its server web/b is gone 3, 3 deleted, 4 stay");
}

TEST_CASE("Feed: where conntrack cannot be heard, all else goes on") {
  const auto result = in_fresh_netns([]() -> std::string {
    if (::setresuid(65534, 65534, 65534) != 0) return "still root";
    Gauges gauges;
    ServerRecords records;
    Feed feed(
        kLayout, gauges, records, [](ServerId, bool) { return std::nullopt; }, [] {});
    log::set_level(log::Level::Error);
    std::vector<std::string> told;
    const auto ask = [&] {
      const auto answer = feed.reconcile(true);
      told.push_back(answer ? "an answer" : answer.error().message);
    };
    ask();
    feed.start();
    ask();
    feed.stop();
    ask();
    return format("{}", join(told, "\n"));
  });
  if (!result) return;
  const std::string refused =
      "conntrack is not heard: listening to conntrack: CAP_NET_ADMIN is needed: run as root, or "
      "give the service that capability";
  CHECK(*result == format("conntrack is not heard yet\n{0}\n{0}", refused));
}

TEST_CASE("Feed: the end does not wait for anything") {
  const auto result = in_fresh_netns([]() -> std::string {
    set_up();
    // Any may be slow, on a busy machine. Who waits for the next tick always is.
    const auto is_quick = [] {
      Station station;
      int moments = 0;
      wait_until([&] { return ++moments == 10; }, "nothing is left to do");
      const auto begin = std::chrono::steady_clock::now();
      station.feed.stop();
      return std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(100);
    };
    wait_until(is_quick, "a quick end");
    return "quick";
  });
  if (result) CHECK(*result == "quick");
}
