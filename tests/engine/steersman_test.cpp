#include <doctest/doctest.h>

#include "../allocations.hpp"
#include "../flow/packets.hpp"
#include "../policy/build.hpp"
#include "engine/steersman.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;
using netlink::Verdict;

namespace {

Config example() {
  Config config;
  config.groups = {
      {"web", "round-robin", false, {server("a", "10.2.0.1"), server("b", "10.2.0.2")}},
      {"six", "round-robin", false, {server("c", "2001:db8:2::1")}}};
  config.tables = {table("main", 0, {route("10.9.9.9/32", "web")})};
  config.policies = {policy("refuse", 9, {criterion("dport", {"23"})}, Action::Reject),
                     policy("drop", 8, {criterion("dport", {"24"})}, Action::Drop),
                     policy("nobody", 7, {criterion("dport", {"6"})}, ToGroup{"six"})};
  return config;
}

struct Fixture {
  explicit Fixture(const Config& config) { REQUIRE(steering.apply(config).empty()); }

  netlink::Answer answer(const netlink::QueuedPacket& packet, std::uint32_t now_s = 0) {
    steersman.enter();
    const netlink::Answer made = steersman.answer(packet, now_s);
    steersman.leave();
    return made;
  }
  netlink::Answer answer(const Packet& bytes, std::uint32_t mark = 0, std::uint32_t now_s = 0) {
    netlink::QueuedPacket packet;
    packet.mark = mark;
    packet.bytes = bytes;
    packet.length = 1000;
    return answer(packet, now_s);
  }
  std::uint64_t outcome(Outcome which) const {
    return steersman.account().outcomes[static_cast<std::size_t>(which)];
  }
  Statistics counted() { return steering.statistics(0); }

  Steering steering{1};
  Steersman steersman{steering.decider(0)};
};

}  // namespace

TEST_CASE("answers: verdict and mark of each outcome; foreign bits stay") {
  Fixture fixture(example());
  constexpr std::uint32_t kForeign = 0x000abcde;
  const struct {
    Packet packet;
    std::uint32_t mark;
    Verdict verdict;
    std::optional<std::uint32_t> want;
  } kCases[] = {
      {ipv4(6, ports(1000, 80)), 0, Verdict::Accept, 0x00100000},
      {ipv4(6, ports(1001, 80)), kForeign, Verdict::Accept, 0x00200000 | kForeign},
      {ipv4(6, ports(1002, 80)), kForeign | 0x7ff00000, Verdict::Accept, 0x00100000 | kForeign},
      {ipv4(6, ports(1000, 23)), kForeign, Verdict::Accept, 0xffe00000 | kForeign},
      {ipv4(6, ports(1000, 24)), kForeign, Verdict::Drop, std::nullopt},
      {ipv6(6, ports(1000, 80)), kForeign, Verdict::Accept, 0xfff00000 | kForeign},
  };
  for (const auto& row : kCases) {
    const netlink::Answer answer = fixture.answer(row.packet, row.mark);
    CHECK(answer.verdict == row.verdict);
    CHECK(answer.mark == row.want);
  }
  CHECK(fixture.steersman.account().received == 6);
  CHECK(fixture.outcome(Outcome::Accepted) == 3);
  CHECK(fixture.outcome(Outcome::Rejected) == 1);
  CHECK(fixture.outcome(Outcome::Dropped) == 1);
  CHECK(fixture.outcome(Outcome::Passed) == 1);
}

TEST_CASE("a packet that cannot be read is answered as the rules file says, and counted") {
  for (const auto& [action, verdict, outcome] :
       {std::tuple{Action::Accept, Verdict::Accept, Outcome::Passed},
        std::tuple{Action::Drop, Verdict::Drop, Outcome::Dropped}}) {
    Config config = example();
    config.engine.on_bad_packet = action;
    Fixture fixture(config);
    CHECK(fixture.answer(Packet()).verdict == verdict);
    CHECK(fixture.answer(Packet(30)).verdict == verdict);
    CHECK(fixture.outcome(outcome) == 2);
    const auto& errors = fixture.steersman.account().parse_errors;
    CHECK(errors[static_cast<std::size_t>(ParseError::Empty)] == 1);
    CHECK(errors[static_cast<std::size_t>(ParseError::Version)] == 1);
  }
}

TEST_CASE("packets of one flow get one server, and are one choice") {
  Fixture fixture(example());
  const Packet packet = ipv4(17, ports(1000, 80));
  const auto first = fixture.answer(packet).mark;
  for (std::uint32_t now_s = 1; now_s < 300; now_s += 50)
    CHECK(fixture.answer(packet, 0, now_s).mark == first);
  CHECK(fixture.counted().groups[0].servers[0].selected == 1);
  CHECK(fixture.counted().cache.hits == 6);
  fixture.steering.flush_cache();
  CHECK(fixture.answer(packet).mark != first);
}

TEST_CASE("policies count packets and bytes; groups count who asked and who found nobody") {
  Fixture fixture(example());
  fixture.answer(ipv4(6, ports(1, 23)));
  fixture.answer(ipv4(6, ports(1, 23)));  // from the memo
  fixture.answer(ipv4(17, ports(1, 6)));  // "six" has no IPv4 server; the table decides
  const Statistics counted = fixture.counted();
  CHECK(counted.policies[0].packets == 2);
  CHECK(counted.policies[0].bytes == 2000);
  CHECK(counted.groups[1].requests == 1);
  CHECK(counted.groups[1].failed == 1);
  CHECK(counted.groups[0].requests == 1);
  CHECK(counted.groups[0].failed == 0);
}

TEST_CASE("what the kernel says beside the packet reaches the policies") {
  const std::pair<std::uint32_t, std::string> kInterfaces[] = {{4, "eth0"}, {9, "wg0"}};
  constexpr std::uint32_t kUnknown = 7;
  struct Beside {
    std::uint32_t mark = 0, in_interface = 0, out_interface = 0;
    std::optional<std::uint32_t> uid = {}, gid = {};
  };
  const struct {
    const char* field;
    const char* value;
    Beside yes, no;
  } kCases[] = {
      {"mark", "0x10/0xf0", {.mark = 0x1f}, {.mark = 0x2f}},
      {"iif", "eth0", {.in_interface = 4}, {.in_interface = 9}},
      {"iif", "eth*", {.in_interface = 4}, {.in_interface = kUnknown}},
      {"oif", "wg0", {.out_interface = 9}, {.in_interface = 9}},
      {"uid", "1000", {.uid = 1000}, {.gid = 1000}},
      {"gid", "0-99", {.gid = 0}, {}},
  };
  const Packet bytes = ipv4(17, ports(1000, 80));
  for (const auto& row : kCases) {
    CAPTURE(row.field);
    Config config;
    config.cache.entries = 0;  // both packets are of one flow
    config.policies = {policy("p", 0, {criterion(row.field, {row.value})}, Action::Drop)};
    Fixture fixture(config);
    fixture.steering.set_interfaces(InterfaceNames(kInterfaces));
    const auto verdict = [&](const Beside& beside) {
      return fixture
          .answer({.mark = beside.mark,
                   .in_interface = beside.in_interface,
                   .out_interface = beside.out_interface,
                   .uid = beside.uid,
                   .gid = beside.gid,
                   .bytes = bytes})
          .verdict;
    };
    CHECK(verdict(row.yes) == Verdict::Drop);
    CHECK(verdict(row.no) == Verdict::Accept);
  }
}

TEST_CASE("no allocation from packet to answer") {
  Fixture fixture(example());
  std::vector<Packet> packets;
  for (unsigned port = 0; port < 5000; ++port) packets.push_back(ipv4(6, ports(port, port % 100)));
  packets.emplace_back();
  const std::uint64_t before = allocations();
  for (const Packet& packet : packets) fixture.answer(packet);
  CHECK(allocations() == before);
  CHECK(fixture.steersman.account().received == packets.size());
}
