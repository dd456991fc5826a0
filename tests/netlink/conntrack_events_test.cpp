// What conntrack tells of flows, in a real kernel, in a network namespace of the
// test's own.
#include <doctest/doctest.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "fresh_netns.hpp"
#include "loopback.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/netlink.hpp"

using namespace nfsteer;
using namespace nfsteer::netlink;
using namespace nfsteer::testing;

namespace {

constexpr MarkLayout kLayout{0xfff00000};

// Flows to port 700N are server N's, by the first digits of the mark, and by the
// last; to 7008 by the last alone; those to 7009 are rejected.
constexpr const char* kMarking = R"(
  table inet marking {
    chain output {
      type filter hook output priority 0;
      ct mark != 0 accept
      meta l4proto { tcp, udp } ct event set new,destroy,reply,protoinfo
      th dport 7001 ct mark set 0x00100101
      th dport 7002 ct mark set 0x00200102
      th dport 7008 ct mark set 0x00000001
      th dport 7009 ct mark set 0xffe00001
    }
  }
)";

void set_up(const char* events = "2") {
  run("ip link set lo up && nft -f - 2>&1", kMarking);
  run(format("sysctl -qw net.netfilter.nf_conntrack_events={}", events));
  prepare_conntrack();
}

// All that is told until there have been so many reports, for 5 s at most.
std::vector<FlowReport> wait_for(ConntrackEvents& events, std::size_t count) {
  std::vector<FlowReport> reports;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (reports.size() < count && std::chrono::steady_clock::now() < end) {
    pollfd ready{events.fd(), POLLIN, 0};
    ::poll(&ready, 1, 100);
    for (auto read = events.read(); !read.empty(); read = events.read())
      reports.insert(reports.end(), read.begin(), read.end());
  }
  return reports;
}

std::string describe(const FlowReport& report) {
  static constexpr const char* kKinds[] = {"new", "update", "destroy", "listed"};
  return format("{} server {} state {}{}{}{} {} to {}", kKinds[static_cast<int>(report.kind)],
                report.server, static_cast<int>(report.tcp_state),
                report.seen_reply ? " replied" : "", report.stamp_ns != 0 ? " stamped" : "",
                report.volume ? format(" {} packets", report.volume->packets) : "",
                protocol_name(report.tuple.protocol), report.tuple.destination_port);
}

std::string describe(const std::vector<FlowReport>& reports) {
  std::vector<std::string> lines;
  for (const FlowReport& report : reports) lines.push_back(describe(report));
  return format("{}", join(lines, "\n"));
}

std::vector<FlowReport> list() {
  std::vector<FlowReport> flows;
  auto listing = FlowListing::begin(kLayout);
  require(listing.has_value(), "begin");
  for (;;) {
    const auto more = listing->next();
    require(more.has_value(), "next");
    flows.insert(flows.end(), listing->flows().begin(), listing->flows().end());
    if (!*more) return flows;
  }
}

}  // namespace

TEST_CASE("ConntrackEvents: the flows of servers, and of their events those that are news") {
  for (const char* sysctl : {"0", "1", "2"}) {
    INFO("nf_conntrack_events = " << std::string(sysctl));
    const auto result = in_fresh_netns([sysctl]() -> std::string {
      set_up(sysctl);
      auto events = ConntrackEvents::open(kLayout);
      require(events.has_value(), "open");
      opened(AF_INET, SOCK_DGRAM, 7008);  // foreign
      opened(AF_INET, SOCK_DGRAM, 7009);  // REJECT
      opened(AF_INET, SOCK_DGRAM, 7010);  // not marked
      const Fd server = listening(AF_INET, 7001);
      opened(AF_INET, SOCK_STREAM, 7001);  // and closed
      std::string told = describe(wait_for(*events, 4));
      Fd(::accept(server.get(), nullptr, nullptr)).reset();  // and closed
      told += "\n" + describe(wait_for(*events, 1));
      // TIME_WAIT or, where the client does not wait for the server's FIN, CLOSE.
      const auto has_ended = [] { return list().front().tcp_state >= TcpState::TimeWait; };
      wait_until(has_ended, "the end of the connection");
      require(delete_flows(kLayout.server(1), kLayout.mask).has_value(), "delete");
      const auto is_destroy = [](const FlowReport& report) {
        return report.kind == FlowReport::Kind::Destroy && report.server == 1;
      };
      const auto is_told = [&] {
        const auto read = events->read();
        return std::any_of(read.begin(), read.end(), is_destroy);
      };
      wait_until(is_told, "its destruction");
      opened(AF_INET, SOCK_STREAM, 7002);  // refused
      return told + "\n" + describe(wait_for(*events, 2));
    });
    if (!result) continue;
    std::string want =
        "new server 1 state 1 stamped tcp to 7001\n"
        "update server 1 state 2 replied stamped tcp to 7001\n"
        "update server 1 state 4 replied stamped tcp to 7001\n"
        "update server 1 state 5 replied stamped tcp to 7001\n"
        "update server 1 state 6 replied stamped tcp to 7001\n"
        "new server 2 state 1 stamped tcp to 7002\n"
        "destroy server 2 state 8 stamped 2 packets tcp to 7002";
    const auto replace_all = [&want](std::string_view what, std::string_view by) {
      for (std::size_t at; (at = want.find(what)) != std::string::npos;)
        want.replace(at, what.size(), by);
    };
    // With 0 there are events only from the rule on that asks for them.
    if (sysctl == std::string_view("0")) replace_all("state 1 ", "state 0 ");
    // Kernels before 6.14 do not stamp events.
    if (result->find("stamped") == std::string::npos) replace_all(" stamped", "");
    CHECK(*result == want);
  }
}

TEST_CASE("ConntrackEvents: both families, tuples and keys") {
  const auto result = in_fresh_netns([]() -> std::string {
    set_up();
    run("ip address add fd00::2/128 dev lo nodad");
    constexpr MarkLayout kLast{0x0000000f};
    auto events = ConntrackEvents::open(kLast);
    require(events.has_value(), "open");
    const Fd six = bound(AF_INET6, SOCK_DGRAM, 0), four = opened(AF_INET, SOCK_DGRAM, 7002);
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(7001);
    ::inet_pton(AF_INET6, "fd00::2", &to.sin6_addr);
    const auto* address = reinterpret_cast<const sockaddr*>(&to);
    std::vector<FlowReport> reports = wait_for(*events, 1);
    const auto send_on = [&] {  // until the address is in use
      ::sendto(six.get(), "x", 1, 0, address, sizeof to);
      const auto read = events->read();
      reports.insert(reports.end(), read.begin(), read.end());
      return reports.size() == 2;
    };
    wait_until(send_on, "two reports");
    for (const FlowReport& report : reports)
      require(report.key == flow_key(flow_id(report.key), report.tuple), "the key");
    require(reports[0].key != reports[1].key, "keys differ");
    require(reports[0].tuple.source_port != 0, "a source port");
    const auto listed = list();
    require(listed.size() == 2, "two listed");
    for (const FlowReport& report : reports)
      require(report.key == listed[0].key || report.key == listed[1].key, "the listed key");
    const FiveTuple& first = reports[0].tuple;
    const FiveTuple& second = reports[1].tuple;
    return format("{}: {} to {}, {}: {} to {}", reports[0].server, to_string(first.source),
                  to_string(first.destination), reports[1].server, to_string(second.source),
                  to_string(second.destination));
  });
  if (result) CHECK(*result == "2: 127.0.0.1 to 127.0.0.1, 1: ::1 to fd00::2");
}

TEST_CASE("FlowListing, delete_flow: one flow of many") {
  const auto result = in_fresh_netns([]() -> std::string {
    set_up();
    const Fd first = bound(AF_INET, SOCK_DGRAM, 7001), second = bound(AF_INET6, SOCK_DGRAM, 7002);
    std::vector<Fd> sockets;
    for (int i = 0; i < 500; ++i) sockets.push_back(opened(AF_INET, SOCK_DGRAM, 7001));
    for (int i = 0; i < 3; ++i) sockets.push_back(opened(AF_INET6, SOCK_DGRAM, 7002));
    sockets.push_back(opened(AF_INET, SOCK_DGRAM, 7008));
    sockets.push_back(opened(AF_INET, SOCK_DGRAM, 7009));
    std::vector<std::string> seen;
    const auto count = [&] {
      std::size_t of[3]{};
      for (const FlowReport& flow : list()) ++of[flow.server];
      seen.push_back(format("{}+{}+{}", of[0], of[1], of[2]));
    };
    const auto remove = [&](const FlowReport& flow, std::uint32_t id) {
      require(delete_flow(flow.tuple, id).has_value(), "delete");
      count();
    };
    const auto flows = list();
    const auto of_server = [&](ServerId id) {
      return *std::find_if(flows.begin(), flows.end(),
                           [id](const FlowReport& flow) { return flow.server == id; });
    };
    const FlowReport four = of_server(1), six = of_server(2);
    count();
    remove(four, flow_id(four.key) + 1);  // another flow of that tuple
    remove(four, flow_id(four.key));
    remove(four, flow_id(four.key));  // is gone
    remove(six, flow_id(six.key));
    seen.push_back(describe(six));
    return format("{}", join(seen, " "));
  });
  if (result)
    CHECK(*result ==
          "0+500+3 0+500+3 0+499+3 0+499+3 0+499+2 listed server 2 state 0 1 packets udp to 7002");
}

TEST_CASE("ConntrackEvents: an overrun is told, and a listing mends it") {
  const auto result = in_fresh_netns([]() -> std::string {
    set_up();
    auto events = ConntrackEvents::open(kLayout, 4'096);
    require(events.has_value(), "open");
    Gauges gauges;
    ServerRecords records;
    FlowLedger ledger(kLayout.server_max(), gauges, records);
    const auto now = std::chrono::steady_clock::now();
    ledger.begin_listing();
    ledger.end_listing(now);
    std::vector<Fd> sockets;
    for (int i = 0; i < 300; ++i) sockets.push_back(opened(AF_INET, SOCK_DGRAM, 7001));
    for (const FlowReport& report : wait_for(*events, 1)) ledger.apply(report, now);
    const bool was_short = records.read(1).active < 300;
    ledger.begin_listing();
    for (const FlowReport& report : list()) ledger.apply(report, now);
    ledger.end_listing(now);
    sockets.push_back(opened(AF_INET, SOCK_DGRAM, 7001));  // the socket is well again
    for (const FlowReport& report : wait_for(*events, 1)) ledger.apply(report, now);
    const ServerFigures figures = records.read(1);
    return format("{} {} {} {}", was_short, events->overruns(), figures.active, figures.total);
  });
  if (result) CHECK(*result == "true 1 301 301");
}

TEST_CASE("ConntrackEvents: what is not an event is counted, and passed over") {
  const auto result = in_fresh_netns([]() -> std::string {
    set_up();
    auto events = ConntrackEvents::open(kLayout);
    require(events.has_value(), "open");
    // Messages of ours to the same socket: garbage that the filter lets pass.
    sockaddr_nl to{};
    socklen_t size = sizeof to;
    ::getsockname(events->fd(), reinterpret_cast<sockaddr*>(&to), &size);
    const Fd sender(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    struct {
      nlmsghdr header{};
      nfgenmsg family{};
      std::uint16_t attribute_length = 8, attribute_type = 8;  // CTA_MARK
      std::uint32_t mark = htonl(0x00100000);
    } message;
    message.header.nlmsg_len = sizeof message;
    message.header.nlmsg_type = 0x0100;
    message.header.nlmsg_flags = NLM_F_CREATE;
    std::size_t sent = 0;
    const auto send = [&](std::size_t bytes) {
      sent += ::sendto(sender.get(), &message, bytes, 0, reinterpret_cast<sockaddr*>(&to), size) ==
              static_cast<ssize_t>(bytes);
    };
    send(sizeof message);  // without a tuple and an id
    message.header.nlmsg_len = 4'000;
    send(sizeof message);  // longer than it is
    message.header.nlmsg_len = sizeof message;
    message.header.nlmsg_type = 0x0a00;
    send(sizeof message);  // of another subsystem
    const Fd socket = opened(AF_INET, SOCK_DGRAM, 7001);
    const auto reports = wait_for(*events, 1);
    return format("{} sent, {} broken, {} read", sent, events->broken(), reports.size());
  });
  if (result) CHECK(*result == "3 sent, 3 broken, 1 read");
}

TEST_CASE("ConntrackEvents, FlowListing: refused without the privilege") {
  const auto result = in_fresh_netns([]() -> std::string {
    if (::setresuid(65534, 65534, 65534) != 0) return "still root";
    auto listing = FlowListing::begin(kLayout);
    const auto listed = listing ? listing->next() : Result<bool>(true);
    const auto deleted = delete_flow({Address::v4(1), Address::v4(2), 3, 4, protocol::kUdp}, 5);
    return format("{}\n{}", listed ? "listed" : listed.error().message,
                  deleted ? "deleted" : deleted.error().message);
  });
  if (!result) return;
  CHECK(*result ==
        "listing conntrack entries: CAP_NET_ADMIN is needed: run as root, or give the service "
        "that capability\n"
        "deleting a conntrack entry: CAP_NET_ADMIN is needed: run as root, or give the service "
        "that capability");
}

TEST_CASE("prepare_conntrack, conntrack_usage: what is set once stands") {
  const auto result = in_fresh_netns([]() -> std::string {
    run("ip link set lo up && nft -f - 2>&1", kMarking);
    run("sysctl -qw net.netfilter.nf_conntrack_acct=0 net.netfilter.nf_conntrack_timestamp=1");
    std::vector<std::string> lines;
    for (int i = 0; i < 2; ++i) {
      for (const auto& [name, purpose, problem] : prepare_conntrack())
        lines.push_back(format("{} ({}): {}", name, purpose, problem.empty() ? "set" : problem));
      lines.push_back("-");
    }
    lines.push_back(run("sysctl -n net.netfilter.nf_conntrack_acct"));
    const auto before = conntrack_usage();
    const Fd socket = opened(AF_INET, SOCK_DGRAM, 7001);
    const auto after = conntrack_usage();
    require(before && after && after->max > after->entries, "usage");
    lines.push_back(format("{} more", after->entries - before->entries));
    return format("{}", join(lines, "\n"));
  });
  if (result)
    CHECK(*result ==
          "net.netfilter.nf_conntrack_acct (packets and bytes of servers): set\n-\n-\n1\n\n1 more");
}
