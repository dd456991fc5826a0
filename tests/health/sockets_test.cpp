// The kinds that ask over a socket, against real servers, good and hostile.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "probing.hpp"
#include "servers.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;
using namespace std::chrono_literals;

namespace {

// A UDP server of 127.0.0.1 or ::1 that answers all that it gets so; nothing where empty.
class UdpServer {
 public:
  explicit UdpServer(std::optional<std::string> answer, int family = AF_INET)
      : socket_(bound(family, SOCK_DGRAM, 0)), answer_(std::move(answer)) {
    sockaddr_in6 address{};
    socklen_t size = sizeof address;
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin6_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~UdpServer() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::uint16_t port() const { return port_; }
  std::string asked() const { return asked_.get(); }  // REQUIRES: it has answered

 private:
  void serve() {
    for (;;) {
      std::array<char, 2'048> bytes;
      sockaddr_storage client{};
      socklen_t size = sizeof client;
      auto* const from = reinterpret_cast<sockaddr*>(&client);
      const ssize_t count = ::recvfrom(socket_.get(), bytes.data(), bytes.size(), 0, from, &size);
      if (count <= 0) return;
      asked_.set({bytes.data(), static_cast<std::size_t>(count)});
      if (answer_) ::sendto(socket_.get(), answer_->data(), answer_->size(), 0, from, size);
    }
  }

  const Fd socket_;
  const std::optional<std::string> answer_;
  std::uint16_t port_ = 0;
  Heard asked_;
  std::thread thread_;
};

// Packets to 192.0.2.0/24 and 2001:db8::/64 vanish; those to 198.51.100.0/24 have no way.
void make_black_hole() {
  run("ip link add void type veth peer name end && ip link set void up && ip link set end up && "
      "ip addr add 192.0.2.1/24 dev void && ip addr add 2001:db8::1/64 dev void nodad && "
      "ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev void && "
      "ip neigh add 2001:db8::9 lladdr 02:00:00:00:00:09 dev void && "
      "ip route add unreachable 198.51.100.0/24");
}

const Address kVoid4 = *parse_address("192.0.2.9"), kVoid6 = *parse_address("2001:db8::9");
const Address kNoWay = *parse_address("198.51.100.1");

}  // namespace

TEST_CASE("tcp") {
  in_own_netns([] {
    make_black_hole();
    Laboratory laboratory;
    const CheckConfig check = check_of("tcp");
    for (const int family : {AF_INET, AF_INET6}) {
      const Address here = loopback_of(family);
      const TcpServer silent(be_silent, family);
      CHECK(laboratory.outcome(check, here, silent.port()) == "passed: connected");
      CHECK(laboratory.outcome(check, here, 9) == "failed: refused");
    }
    CHECK(laboratory.outcome(check, kVoid4, 80, 100ms) == "silent");
    CHECK(laboratory.outcome(check, kVoid6, 80, 100ms) == "silent");
    CHECK(laboratory.outcome(check, kNoWay, 80) == "failed: No route to host");
  });
}

TEST_CASE("tcp: connections are reset and leave nothing") {
  in_own_netns([] {
    Laboratory laboratory;
    const TcpServer server(be_silent);
    for (int i = 0; i < 20; ++i)
      CHECK(laboratory.outcome(check_of("tcp"), loopback_of(AF_INET), server.port()) ==
            "passed: connected");
    std::ifstream table("/proc/thread-self/net/tcp");
    int waiting = 0;
    for (std::string line; std::getline(table, line);) waiting += line.find(" 06 ") != line.npos;
    CHECK(waiting == 0);  // in TIME_WAIT
  });
}

TEST_CASE("udp") {
  in_own_netns([] {
    make_black_hole();
    Laboratory laboratory;
    const auto udp = [](const char* send, const char* reply = nullptr) {
      CheckConfig check = check_of("udp", {{"send", std::string(send)}});
      if (reply) check.options["reply"] = std::string(reply);
      return check;
    };
    for (const int family : {AF_INET, AF_INET6}) {
      const Address here = loopback_of(family);
      UdpServer pong(std::string("\0PONG 1", 7), family), silent(std::nullopt, family);
      UdpServer empty("", family), long_one(std::string(60'000, 'x'), family);
      CHECK(laboratory.outcome(udp("\\x00ping\\n", "\\x00PONG"), here, pong.port()) ==
            "passed: answered");
      CHECK(pong.asked() == std::string("\0ping\n", 6));
      CHECK(laboratory.outcome(udp("x"), here, pong.port()) == "passed: answered");
      CHECK(laboratory.outcome(udp("x", "PONG"), here, pong.port()) ==
            "failed: another answer: \\x00PONG 1");
      CHECK(laboratory.outcome(udp("x", "\\x00PONG 12"), here, pong.port()) ==
            "failed: another answer: \\x00PONG 1");
      CHECK(laboratory.outcome(udp("x"), here, empty.port()) == "passed: answered");
      CHECK(laboratory.outcome(udp("x", "y"), here, empty.port()) == "failed: another answer: ");
      CHECK(laboratory.outcome(udp("x", "xxx"), here, long_one.port()) == "passed: answered");
      CHECK(laboratory.outcome(udp("x", "y"), here, long_one.port()) ==
            "failed: another answer: " + std::string(40, 'x') + "...");
      CHECK(laboratory.outcome(udp("x"), here, silent.port(), 100ms) == "silent");
      CHECK(laboratory.outcome(udp("x"), here, 9) == "failed: refused");
    }
    CHECK(laboratory.outcome(udp("x"), kVoid4, 80, 100ms) == "silent");
    CHECK(laboratory.outcome(udp("x"), kNoWay, 80) == "failed: No route to host");
  });
}

TEST_CASE("icmp") {
  in_own_netns([] {
    make_black_hole();
    Laboratory laboratory;
    const CheckConfig check = check_of("icmp");
    run("sysctl -qw net.ipv4.ping_group_range='1 0'");
    CHECK(laboratory.outcome(check, loopback_of(AF_INET), 0) ==
          "skipped: net.ipv4.ping_group_range has no group of this process (its group is 0)");
    CHECK(laboratory.outcome(check, loopback_of(AF_INET6), 0).starts_with("skipped: "));
    run("sysctl -qw net.ipv4.ping_group_range='0 0'");
    CHECK(laboratory.outcome(check, loopback_of(AF_INET), 0) == "passed: answered");
    CHECK(laboratory.outcome(check, loopback_of(AF_INET6), 0) == "passed: answered");
    CHECK(laboratory.outcome(check, kVoid4, 0, 100ms) == "silent");
    CHECK(laboratory.outcome(check, kVoid6, 0, 100ms) == "silent");
    CHECK(laboratory.outcome(check, kNoWay, 0) == "failed: No route to host");
  });
}

// The engine's rules leave packets with this mark alone.
TEST_CASE("all packets of probes have the mark") {
  in_own_netns([] {
    run("nft -f -",
        "table inet marks { chain out { type filter hook output priority 0\n"
        "meta mark 0x77 accept; tcp dport 8000 drop; udp dport 8000 drop\n"
        "icmp type echo-request drop\n}\n}");
    run("sysctl -qw net.ipv4.ping_group_range='0 0'");
    const Address here = loopback_of(AF_INET);
    Laboratory marked(0x77), unmarked;
    const CheckConfig kinds[] = {check_of("tcp"), check_of("http"),
                                 check_of("https", {{"verify", false}}), check_of("icmp"),
                                 check_of("udp", {{"send", std::string("x")}})};
    for (const CheckConfig& check : kinds) {
      CAPTURE(check.kind);
      CHECK(unmarked.outcome(check, here, 8'000, 50ms) != "failed: refused");
      CHECK(marked.outcome(check, here, 8'000) ==
            (check.kind == "icmp" ? "passed: answered" : "failed: refused"));
    }
  });
}

TEST_CASE("who may not mark packets probes without") {
  const auto result = in_fresh_netns([]() -> std::string {
    run("ip link set lo up");
    const Fd server = listening(AF_INET, 8'080);
    require(::setresuid(65'534, 65'534, 65'534) == 0, "to be nobody");
    return Laboratory(0x77).outcome(check_of("tcp"), loopback_of(AF_INET), 8'080);
  });
  if (result) CHECK(*result == "passed: connected");
}

// Each kind of check that there is: a probe that is ended says no more, leaves nothing
// open, and one that cannot have a descriptor does not blame the server.
TEST_CASE("every kind: probes that are ended in the middle leave nothing") {
  in_own_netns([] {
    make_black_hole();
    run("sysctl -qw net.ipv4.ping_group_range='0 0'");
    Laboratory laboratory;
    const Fd silent = listening(AF_INET, 8'000);  // of which the kernel takes connections
    for (const CheckKind& kind : check_kinds()) {
      CAPTURE(std::string(kind.name));
      CheckConfig check = check_of(kind.name);
      if (kind.name == std::string("udp")) check.options["send"] = std::string("x");
      if (kind.name == std::string("exec"))
        check.options["command"] = std::vector<std::string>{"/bin/sleep", "1000"};
      const auto made = ready(check);
      laboratory.probe(*made, {"plain", kVoid4, 80}, 20ms);
      const std::size_t before = open_descriptors();
      int calls = 0;
      for (const Address& address : {kVoid4, loopback_of(AF_INET)})
        for (int i = 0; i < 50; ++i) {
          auto probe = made->start(laboratory.room(), {"plain", address, 8'000},
                                   [&](const ProbeEnd&) { ++calls; });
          laboratory.io().restart();
          for (int steps = 0; steps < i % 5; ++steps) laboratory.io().poll_one();
          const int made_before = calls;
          probe.reset();
          laboratory.settle();
          CHECK(calls == made_before);
        }
      CHECK(open_descriptors() == before);
    }
  });
}

TEST_CASE("every kind: without descriptors it is skipped") {
  const auto result = in_fresh_netns([]() -> std::string {
    run("ip link set lo up && sysctl -qw net.ipv4.ping_group_range='0 0'");
    Laboratory laboratory;
    (void)laboratory.outcome(check_of("tcp"), loopback_of(AF_INET), 9);  // has what it needs
    std::string told;
    std::vector<Fd> all;
    std::vector<std::pair<std::string, std::shared_ptr<const Check>>> checks;
    for (const CheckKind& kind : check_kinds()) {
      CheckConfig check = check_of(kind.name);
      if (kind.name == std::string("udp")) check.options["send"] = std::string("x");
      if (kind.name == std::string("exec"))
        check.options["command"] = std::vector<std::string>{"/bin/true"};
      checks.emplace_back(kind.name, *kind.make(check));
    }
    for (;;) {
      Fd another(::dup(0));
      if (!another) break;
      all.push_back(std::move(another));
    }
    for (const auto& [name, check] : checks) {
      const auto end = laboratory.probe(*check, {"plain", loopback_of(AF_INET), 9});
      require(end && end->outcome == ProbeOutcome::Skipped, "skipped");
      if (end->reason != "Too many open files") told += name + ": " + end->reason + "\n";
    }
    return told;
  });
  if (result) CHECK(*result == "");
}
