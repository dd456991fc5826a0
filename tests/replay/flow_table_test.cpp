#include "replay/flow_table.hpp"

#include <doctest/doctest.h>

#include <list>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "../policy/build.hpp"

using namespace nfsteer;
using namespace std::chrono_literals;
using Kind = FlowTable::Kind;
using Moment = FlowTable::Moment;

namespace {

Flow flow_of(std::uint8_t protocol, const char* source, std::uint16_t sport,
             const char* destination, std::uint16_t dport) {
  Flow made = testing::flow("tcp", source, sport, destination, dport);
  made.tuple.protocol = protocol;
  return made;
}

Flow icmp(std::uint8_t type, const char* source, const char* destination,
          std::uint16_t identifier = 0) {
  Flow made;
  made.tuple = {*parse_address(source), *parse_address(destination), identifier, 0,
                static_cast<std::uint8_t>(made.family() == Family::V4 ? 1 : 58)};
  made.tuple.protocol = made.family() == Family::V4 ? 1 : 58;
  made.icmp_type = type;
  return made;
}

constexpr const char *kClient = "10.1.0.1", *kServer = "10.9.9.9";

// A segment of one connection.
struct Sent {
  Segment segment;
  Sender sender = Sender::Client;
};

// A table of which all that is over is taken.
struct Conntrack {
  FlowTable table{1'000};
  std::multiset<std::uint32_t> over;

  FlowTable::Met meet(const Flow& flow, std::optional<Segment> segment, Moment now) {
    const auto met = table.meet({flow, segment}, now);
    while (const auto number = table.next_over()) over.insert(*number);
    return met;
  }
  FlowTable::Met tcp(Sent sent, Moment now) {
    const bool there = sent.sender == Sender::Client;
    return meet(
        there ? flow_of(6, kClient, 40'000, kServer, 80) : flow_of(6, kServer, 80, kClient, 40'000),
        sent.segment, now);
  }
};

}  // namespace

TEST_CASE("flow table: a TCP connection lives as long as its state does") {
  using enum Segment;
  constexpr auto kServerSide = Sender::Server;
  const struct {
    const char* state;
    std::vector<Sent> sent;
    std::chrono::seconds lifetime;
    bool is_over;  // before it is forgotten
  } kCases[] = {
      {"SYN_SENT", {{Syn}}, 120s, false},
      {"SYN_RECV", {{Syn}, {SynAck, kServerSide}}, 60s, false},
      {"ESTABLISHED", {{Syn}, {SynAck, kServerSide}, {Other}}, 432'000s, false},
      {"FIN_WAIT", {{Syn}, {SynAck, kServerSide}, {Other}, {Fin}}, 120s, true},
      {"CLOSE_WAIT",
       {{Syn}, {SynAck, kServerSide}, {Other}, {Fin}, {Other, kServerSide}},
       60s,
       true},
      {"LAST_ACK", {{Syn}, {SynAck, kServerSide}, {Other}, {Fin}, {Fin, kServerSide}}, 30s, true},
      {"TIME_WAIT",
       {{Syn}, {SynAck, kServerSide}, {Other}, {Fin}, {Fin, kServerSide}, {Other}},
       120s,
       true},
      {"CLOSE", {{Syn}, {Rst, kServerSide}}, 10s, true},
      {"SYN_SENT2", {{Syn}, {Syn, kServerSide}}, 120s, false},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.state);
    for (const bool is_late : {false, true}) {
      Conntrack conntrack;
      for (const Sent& sent : row.sent) conntrack.tcp(sent, 1s);
      CHECK(conntrack.over.size() == (row.is_over ? 1 : 0));
      const auto met = conntrack.tcp({Rst}, 1s + row.lifetime - (is_late ? 0ns : 1ns));
      CHECK(met.kind == (is_late ? Kind::MidStream : Kind::Follows));
      CHECK(conntrack.over.size() == 1);  // once, however it ended
    }
  }
}

TEST_CASE("flow table: what else lives for how long") {
  const Flow there = flow_of(17, kClient, 5, kServer, 53),
             back = flow_of(17, kServer, 53, kClient, 5);
  const Flow gre = flow_of(47, kClient, 0, kServer, 0), ping = icmp(8, kClient, kServer, 7);
  const struct {
    const char* remark;
    std::vector<std::pair<Flow, Moment>> packets;
    std::chrono::seconds lifetime;
  } kCases[] = {
      {"UDP", {{there, 0s}}, 30s},
      {"UDP, one way for long", {{there, 0s}, {there, 20s}, {there, 40s}}, 30s},
      {"UDP, answered", {{there, 0s}, {back, 0s}}, 30s},
      {"UDP, answered for two seconds", {{there, 0s}, {back, 1s}, {there, 2s}}, 30s},
      {"UDP, for longer: a stream", {{there, 0s}, {back, 1s}, {there, 2s + 1ns}}, 120s},
      {"UDP, answered late", {{there, 0s}, {back, 3s}}, 120s},
      {"ICMP", {{ping, 0s}}, 30s},
      {"another protocol", {{gre, 0s}}, 600s},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.remark);
    for (const bool is_late : {false, true}) {
      Conntrack conntrack;
      Moment last{0};
      for (const auto& [flow, now] : row.packets) conntrack.meet(flow, {}, last = now);
      const Moment now = last + row.lifetime - (is_late ? 0ns : 1ns);
      const Flow& first = row.packets.front().first;
      CHECK(conntrack.meet(first, {}, now).kind == (is_late ? Kind::Opens : Kind::Follows));
      CHECK(conntrack.over.size() == (is_late ? 1 : 0));
    }
  }
}

TEST_CASE("flow table: what is a flow of its own") {
  const Flow first = flow_of(17, kClient, 5, kServer, 53);
  const struct {
    const char* remark;
    Flow flow;
    Kind want;
  } kCases[] = {
      {"the same", first, Kind::Follows},
      {"the way back", flow_of(17, kServer, 53, kClient, 5), Kind::Follows},
      {"ports the other way round", flow_of(17, kClient, 53, kServer, 5), Kind::Opens},
      {"another port", flow_of(17, kClient, 6, kServer, 53), Kind::Opens},
      {"another protocol", flow_of(132, kClient, 5, kServer, 53), Kind::Opens},
      {"another client", flow_of(17, "10.1.0.2", 5, kServer, 53), Kind::Opens},
      {"to itself", flow_of(17, kClient, 5, kClient, 5), Kind::Opens},
      {"multicast", flow_of(17, kClient, 5, "224.0.0.1", 53), Kind::None},
      {"the last of multicast", flow_of(17, kClient, 5, "239.255.255.255", 53), Kind::None},
      {"behind it", flow_of(17, kClient, 5, "240.0.0.1", 53), Kind::Opens},
      {"everybody", flow_of(17, kClient, 5, "255.255.255.255", 53), Kind::None},
      {"multicast of 6", flow_of(17, "2001:db8::1", 5, "ff02::1", 53), Kind::None},
      {"6", flow_of(17, "2001:db8::1", 5, "2001:db8::2", 53), Kind::Opens},
      {"an echo", icmp(8, kClient, kServer, 7), Kind::Opens},
      {"an answer to nothing", icmp(0, kClient, kServer, 7), Kind::None},
      {"a timestamp request", icmp(13, kClient, kServer), Kind::Opens},
      {"an error", icmp(3, kClient, kServer), Kind::None},
      {"a router's advertisement", icmp(9, kClient, kServer), Kind::None},
      {"an echo of 6", icmp(128, "2001:db8::1", "2001:db8::2", 7), Kind::Opens},
      {"ICMP's number in ICMPv6", icmp(8, "2001:db8::1", "2001:db8::2", 7), Kind::None},
      {"a neighbour solicitation", icmp(135, "2001:db8::1", "2001:db8::2"), Kind::None},
      {"a packet too big", icmp(2, "2001:db8::1", "2001:db8::2"), Kind::None},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.remark);
    Conntrack conntrack;
    REQUIRE(conntrack.meet(first, {}, 0s).kind == Kind::Opens);
    CHECK(conntrack.meet(row.flow, {}, 0s).kind == row.want);
    CHECK(conntrack.over.empty());
  }
}

TEST_CASE("flow table: echoes are told apart by identifier and type") {
  Conntrack conntrack;
  const auto first = conntrack.meet(icmp(8, kClient, kServer, 7), {}, 0s);
  CHECK(conntrack.meet(icmp(0, kServer, kClient, 7), {}, 0s).number == first.number);
  CHECK(conntrack.meet(icmp(8, kClient, kServer, 8), {}, 0s).kind == Kind::Opens);
  CHECK(conntrack.meet(icmp(8, kServer, kClient, 7), {}, 0s).kind == Kind::Follows);
  CHECK(conntrack.meet(icmp(13, kClient, kServer), {}, 0s).kind == Kind::Opens);
  CHECK(conntrack.meet(icmp(17, kClient, kServer), {}, 0s).kind == Kind::Opens);
  CHECK(conntrack.table.flows() == 4);
}

TEST_CASE("flow table: a SYN where the connection is closed opens another") {
  using enum Segment;
  Conntrack conntrack;
  CHECK(conntrack.tcp({Syn}, 0s).kind == Kind::Opens);
  CHECK(conntrack.tcp({Syn}, 1s).kind == Kind::Follows);  // sent again
  CHECK(conntrack.tcp({SynAck, Sender::Server}, 1s).kind == Kind::Follows);
  CHECK(conntrack.tcp({Other}, 1s).kind == Kind::Follows);
  CHECK(conntrack.tcp({Syn}, 1s).kind == Kind::Follows);  // out of place
  CHECK(conntrack.tcp({Rst}, 2s).kind == Kind::Follows);
  CHECK(conntrack.over.size() == 1);
  CHECK(conntrack.tcp({Syn}, 3s).kind == Kind::Opens);
  CHECK(conntrack.over.size() == 1);  // it was told before
  CHECK(conntrack.table.flows() == 1);
}

TEST_CASE("flow table: a SYN out of place does not prolong a connection") {
  using enum Segment;
  Conntrack conntrack;
  for (const Sent& sent : {Sent{Syn}, Sent{SynAck, Sender::Server}, Sent{Other}, Sent{Fin}})
    conntrack.tcp(sent, 0s);
  CHECK(conntrack.tcp({Syn}, 100s).kind == Kind::Follows);
  CHECK(conntrack.tcp({Syn}, 121s).kind == Kind::Opens);
}

TEST_CASE("flow table: of too many flows the one that was silent for longest gives way") {
  FlowTable table(3);
  const auto meet = [&](std::uint16_t port, Moment now) {
    return table.meet({flow_of(17, kClient, port, kServer, 53), {}}, now);
  };
  const auto first = meet(1, 0s), second = meet(2, 1s);
  meet(3, 2s);
  CHECK(meet(1, 3s).kind == Kind::Follows);
  const auto fourth = meet(4, 4s);
  CHECK(fourth.kind == Kind::Opens);
  CHECK(fourth.number == second.number);
  CHECK(table.next_over() == second.number);
  CHECK(table.next_over() == std::nullopt);
  CHECK(table.evictions() == 1);
  CHECK(table.flows() == 3);
  CHECK(meet(1, 4s).number == first.number);
}

// ---- the oracle ---------------------------------------------------------------------

namespace {

// The same by a list of flows, and looking at all of them each time.
class PlainConntrack {
 public:
  explicit PlainConntrack(std::size_t flows_max) : flows_max_(flows_max) {}

  Kind meet(const Flow& flow, std::optional<Segment> segment, Moment now) {
    std::erase_if(flows_, [&](const Known& each) {
      const bool is_old = each.seen + lifetime(each) <= now;
      ended_ += is_old && each.is_counted ? 1u : 0u;
      return is_old;
    });
    auto found = std::find_if(flows_.begin(), flows_.end(), [&](const Known& each) {
      return each.tuple == flow.tuple || each.tuple == turned(flow.tuple);
    });
    if (found != flows_.end() && segment == Segment::Syn &&
        (found->state == TcpState::TimeWait || found->state == TcpState::Close)) {
      ended_ += found->is_counted ? 1u : 0u;
      flows_.erase(found);
      found = flows_.end();
    }
    if (found == flows_.end()) return open(flow, segment, now);
    follow(*found, flow, segment, now);
    return Kind::Follows;
  }

  std::size_t ended() const { return ended_; }
  std::size_t flows() const { return flows_.size(); }

 private:
  struct Known {
    FiveTuple tuple;
    Moment opened, seen;
    TcpState state = TcpState::None;
    bool has_reply = false, is_stream = false, is_counted = true;
  };

  static FiveTuple turned(const FiveTuple& tuple) {
    return {tuple.destination, tuple.source, tuple.destination_port, tuple.source_port,
            tuple.protocol};
  }

  static Moment lifetime(const Known& flow) {
    switch (flow.state) {
      case TcpState::SynReceived:
      case TcpState::CloseWait:
        return 60s;
      case TcpState::Established:
        return 5 * 24h;
      case TcpState::LastAck:
        return 30s;
      case TcpState::Close:
        return 10s;
      case TcpState::None:
        return flow.tuple.protocol != 17 ? 600s : flow.is_stream ? 120s : 30s;
      default:
        return 120s;
    }
  }

  Kind open(const Flow& flow, std::optional<Segment> segment, Moment now) {
    if (flows_.size() == flows_max_) {
      const auto oldest =
          std::min_element(flows_.begin(), flows_.end(),
                           [](const Known& a, const Known& b) { return a.seen < b.seen; });
      ended_ += oldest->is_counted ? 1u : 0u;
      flows_.erase(oldest);
    }
    Known made{flow.tuple, now, now};
    const bool is_new = !segment || segment == Segment::Syn;
    if (segment)
      made.state =
          is_new ? TcpState::SynSent : next_state(TcpState::Established, *segment, Sender::Client);
    made.is_counted = is_new;
    flows_.push_back(made);
    return is_new ? Kind::Opens : Kind::MidStream;
  }

  void follow(Known& known, const Flow& flow, std::optional<Segment> segment, Moment now) {
    const Sender sender = known.tuple == flow.tuple ? Sender::Client : Sender::Server;
    known.has_reply |= sender == Sender::Server;
    if (segment) {
      const TcpState next = next_state(known.state, *segment, sender);
      const bool is_syn = segment == Segment::Syn || segment == Segment::SynAck;
      if (is_syn && next == known.state && next != TcpState::SynSent) return;
      known.state = next;
      if (is_over(next) && std::exchange(known.is_counted, false)) ++ended_;
    }
    known.is_stream |= known.has_reply && now - known.opened > 2s;
    known.seen = now;
  }

  const std::size_t flows_max_;
  std::list<Known> flows_;
  std::size_t ended_ = 0;
};

}  // namespace

TEST_CASE("flow table: as a plain list of flows, over random packets") {
  constexpr int kPackets = 60'000;
  constexpr std::uint8_t kProtocols[] = {6, 6, 6, 17, 17, 47};
  std::mt19937 random(5);
  for (const std::uint32_t ports : {2u, 60u}) {
    FlowTable table(30);
    PlainConntrack plain(30);
    std::set<std::uint32_t> open;
    std::size_t ended = 0, kinds[4] = {};
    Moment now{0};
    for (int i = 0; i < kPackets; ++i) {
      now += std::chrono::milliseconds(random() % 3 == 0 ? random() % 100'000 : random() % 300);
      const std::uint8_t protocol = kProtocols[random() % 6];
      const auto port = static_cast<std::uint16_t>(protocol == 47 ? 0 : 1 + random() % ports);
      const Flow there = flow_of(protocol, kClient, port, kServer, port == 0 ? 0 : 80);
      const Flow back = flow_of(protocol, kServer, port == 0 ? 0 : 80, kClient, port);
      const auto segment =
          protocol == 6 ? std::optional(static_cast<Segment>(random() % 5)) : std::nullopt;
      const Flow& flow = random() % 2 == 0 ? there : back;
      const auto met = table.meet({flow, segment}, now);
      while (const auto number = table.next_over()) {
        REQUIRE(open.erase(*number) == 1);  // each once
        ++ended;
      }
      if (met.kind == Kind::Opens) REQUIRE(open.insert(met.number).second);
      ++kinds[static_cast<std::size_t>(met.kind)];
      REQUIRE(met.kind == plain.meet(flow, segment, now));
      REQUIRE(ended == plain.ended());
      REQUIRE(table.flows() == plain.flows());
    }
    for (const Kind kind : {Kind::Opens, Kind::Follows, Kind::MidStream})
      CHECK(kinds[static_cast<std::size_t>(kind)] > 500);
    CHECK((table.evictions() > 50) == (ports > 2));
  }
}

TEST_CASE("flow table: many flows come and go") {
  constexpr std::uint32_t kFlows = 200'000;
  FlowTable table(kFlows);
  const auto flow = [](std::uint32_t i) {
    Flow made;
    made.tuple = {Address::v4(0x0a00'0000 + i / 50'000), Address::v4(0x0a09'0909),
                  static_cast<std::uint16_t>(1 + i % 50'000), 53, 17};
    return made;
  };
  for (std::uint32_t i = 0; i < kFlows; ++i)
    REQUIRE(table.meet({flow(i), {}}, 0s).kind == Kind::Opens);
  for (std::uint32_t i = 0; i < kFlows; ++i)
    REQUIRE(table.meet({flow(i), {}}, 1s).kind == Kind::Follows);
  CHECK(table.flows() == kFlows);
  CHECK(table.meet({flow(0), {}}, 100s).kind == Kind::Opens);
  CHECK(table.flows() == 1);
  std::size_t over = 0;
  while (table.next_over()) ++over;
  CHECK(over == kFlows);
}
