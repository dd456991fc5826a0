// Conntrack entries in a real kernel, in a network namespace of the test's own.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <vector>

#include "fresh_netns.hpp"
#include "nfsteer/base/fd.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/netlink.hpp"

using namespace nfsteer;
using namespace nfsteer::netlink;
using testing::in_fresh_netns;
using testing::run;

namespace {

// Flows to ports 7001 and 7002 get marks of ours, with a foreign bit; flows to
// 7003 get a foreign mark alone.
constexpr const char* kMarking = R"(
  table inet marking {
    chain output {
      type filter hook output priority 0;
      udp dport 7001 ct mark set 0x00100001
      udp dport 7002 ct mark set 0x00200001
      udp dport 7003 ct mark set 0x00000001
    }
  }
)";

void open_flows(std::uint16_t port, int count) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::vector<Fd> sockets;  // all open at once: no port is used twice
  for (int i = 0; i < count; ++i) {
    const Fd& socket = sockets.emplace_back(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ::sendto(socket.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }
}

std::string count(std::uint32_t mark, std::uint32_t mask) {
  const auto flows = count_flows(mask);
  if (!flows) return flows.error().message;
  const auto found = flows->find(mark);
  return found == flows->end() ? "0" : format("{}", found->second);
}

}  // namespace

TEST_CASE("count_flows, delete_flows: by mark, within the mask") {
  constexpr std::uint32_t kMask = 0xfff00000, kFirst = 0x00100000, kSecond = 0x00200000;
  const auto result = in_fresh_netns([&]() -> std::string {
    run("ip link set lo up && nft -f - 2>&1", kMarking);
    std::vector<std::string> seen = {count(kFirst, kMask)};
    open_flows(7001, 300);  // more than one message of a dump
    open_flows(7002, 2);
    open_flows(7003, 1);
    seen.push_back(count(kFirst, kMask));
    seen.push_back(count(kSecond, kMask));
    seen.push_back(count(0, kMask));  // not marked: not counted
    seen.push_back(count(1, 1));
    const auto deleted = delete_flows(kFirst, kMask);
    seen.push_back(deleted ? "deleted" : deleted.error().message);
    seen.push_back(count(kFirst, kMask));
    seen.push_back(count(kSecond, kMask));
    const auto none = delete_flows(kFirst, kMask);
    seen.push_back(none ? "deleted" : none.error().message);
    seen.push_back(count(1, 1));
    return format("{}", join(seen, " "));
  });
  if (result) CHECK(*result == "0 300 2 0 303 deleted 0 2 deleted 3");
}

TEST_CASE("count_flows, delete_flows: refused without the privilege") {
  const auto result = in_fresh_netns([]() -> std::string {
    if (::setresuid(65534, 65534, 65534) != 0) return "still root";
    const auto counted = count_flows(1);
    const auto deleted = delete_flows(0, 1);
    return format("{}\n{}", counted ? "counted" : counted.error().message,
                  deleted ? "deleted" : deleted.error().message);
  });
  if (!result) return;
  CHECK(*result ==
        "counting conntrack entries: CAP_NET_ADMIN is needed: run as root, or give the service "
        "that capability\n"
        "deleting conntrack entries: CAP_NET_ADMIN is needed: run as root, or give the service "
        "that capability");
}
