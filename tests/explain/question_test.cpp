// Flows in the words of a person: what is understood, and what is said of the rest.
#include <doctest/doctest.h>

#include "nfsteer/explain.hpp"

namespace nfsteer {
namespace {

using namespace std::chrono_literals;

TEST_CASE("flows that are understood") {
  const struct {
    const char* words;
    const char* flow;  // as flows are shown
    bool has_ports;
    std::optional<std::uint8_t> icmp_type;
  } cases[] = {
      {"tcp 192.0.2.7:40000 203.0.113.10:443", "tcp 192.0.2.7:40000 -> 203.0.113.10:443", true, {}},
      {"udp [2001:db8::7]:1 [2001:db8:9::9]:53",
       "udp [2001:db8::7]:1 -> [2001:db8:9::9]:53",
       true,
       {}},
      {"sctp 10.0.0.1:0 10.0.0.2:65535", "sctp 10.0.0.1:0 -> 10.0.0.2:65535", true, {}},
      {" 6\t10.0.0.1:1  10.0.0.2:2\n", "tcp 10.0.0.1:1 -> 10.0.0.2:2", true, {}},
      {"tcp [::ffff:10.0.0.1]:1 10.0.0.2:2", "tcp 10.0.0.1:1 -> 10.0.0.2:2", true, {}},
      {"icmp 192.0.2.7 10.9.9.9", "icmp 192.0.2.7 -> 10.9.9.9", false, 8},
      {"icmpv6 2001:db8::7 2001:db8:9::9", "icmpv6 2001:db8::7 -> 2001:db8:9::9", false, 128},
      {"47 192.0.2.7 10.9.9.9", "gre 192.0.2.7 -> 10.9.9.9", false, {}},
      {"99 ::1 ::2", "99 ::1 -> ::2", false, {}},
  };
  for (const auto& row : cases) {
    CAPTURE(row.words);
    const auto flow = parse_flow({.flow = row.words});
    REQUIRE_MESSAGE(flow, flow.error().message);
    CHECK(to_string(flow->tuple) == row.flow);
    CHECK(flow->has_ports == row.has_ports);
    CHECK(flow->icmp_type == row.icmp_type);
    CHECK(flow->bytes == 0);
  }
}

TEST_CASE("flows that are refused, and the remedy") {
  constexpr struct {
    const char* words;
    const char* message;
  } kCases[] = {
      {"",
       "a flow is a protocol, a source and a destination, such as "
       "`tcp 192.0.2.7:40000 203.0.113.10:443`"},
      {"tcp 10.0.0.1:1",
       "a flow is a protocol, a source and a destination, such as "
       "`tcp 192.0.2.7:40000 203.0.113.10:443`"},
      {"tpc 10.0.0.1:1 10.0.0.2:2",
       "`tpc` is not a protocol: write a name such as `tcp`, or its number"},
      {"256 10.0.0.1 10.0.0.2",
       "`256` is not a protocol: write a name such as `tcp`, or its number"},
      {"tcp 10.0.0.1 10.0.0.2:2", "`10.0.0.1` has no port: write `10.0.0.1:PORT`"},
      {"tcp 10.0.0.1:1 10.0.0.2", "`10.0.0.2` has no port: write `10.0.0.2:PORT`"},
      {"tcp 2001:db8::1:443 [::1]:1",
       "`2001:db8::1:443` has no port: write `[2001:db8::1:443]:PORT`"},
      {"tcp 10.0.0.1:65536 10.0.0.2:2",
       "`10.0.0.1:65536` is not an address with a port such as `192.0.2.7:443` or "
       "`[2001:db8::7]:443`"},
      {"udp host:53 10.0.0.2:2",
       "`host:53` is not an address with a port such as `192.0.2.7:443` or `[2001:db8::7]:443`"},
      {"icmp 10.0.0.1:8 10.0.0.2", "icmp has no ports: write `10.0.0.1`"},
      {"gre [::1]:8 ::2", "gre has no ports: write `::1`"},
      {"gre 10.0.0.0/8 10.0.0.1", "`10.0.0.0/8` is not an address"},
      {"tcp 10.0.0.1:1 [::2]:2",
       "`10.0.0.1` is of IPv4 and `::2` of IPv6: both ends are of one family"},
      {"icmp ::1 ::2", "icmp is of IPv4: write `icmpv6`"},
      {"icmpv6 10.0.0.1 10.0.0.2", "icmpv6 is of IPv6: write `icmp`"},
      {"tcp \033[2J 10.0.0.2:2",
       "`\\x1b[2J` is not an address with a port such as `192.0.2.7:443` or "
       "`[2001:db8::7]:443`"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.words);
    const auto flow = parse_flow({.flow = row.words});
    REQUIRE_FALSE(flow);
    CHECK(flow.error().message == row.message);
  }
}

TEST_CASE("what is said beside the flow") {
  const auto flow = parse_flow({.flow = "icmpv6 ::1 ::2",
                                .iif = "eth0",
                                .oif = "br-guest",
                                .mark = "0x10",
                                .uid = "root",
                                .gid = "1000",
                                .icmp_type = "nd-router-solicit",
                                .at = {}});
  REQUIRE_MESSAGE(flow, flow.error().message);
  CHECK(interface_name(flow->in_interface) == "eth0");
  CHECK(interface_name(flow->out_interface) == "br-guest");
  CHECK(flow->mark == 0x10);
  CHECK(flow->uid == 0);
  CHECK(flow->gid == 1000);
  CHECK(flow->icmp_type == 133);
}

TEST_CASE("options: accepted, and refused with a reason") {
  const std::string tcp = "tcp 10.0.0.1:1 10.0.0.2:2", icmp = "icmp 10.0.0.1 10.0.0.2";
  const struct {
    std::string flow;
    const char* option;
    const char* text;
    const char* message;  // empty: accepted
  } cases[] = {
      {tcp, "iif", "eth0", ""},
      {tcp, "iif", "eth*", "iif: `eth*` is more than one: a flow has one"},
      {tcp, "iif", "", "iif: `` is not the name of an interface"},
      {tcp, "oif", "an-interface-name",
       "oif: `an-interface-name` is longer than an interface's name can be: 15 bytes"},
      {tcp, "mark", "4294967295", ""},
      {tcp, "mark", "4294967296", "mark: `4294967296` is not a mark of 32 bits"},
      {tcp, "mark", "0x10/0xff", "mark: `0x10/0xff` is more than one: a flow has one"},
      {tcp, "uid", "0", ""},
      {tcp, "uid", "1000-1999", "uid: `1000-1999` is more than one: a flow has one"},
      {tcp, "uid", "no-such-user", "uid: there is no user `no-such-user` on this machine"},
      {tcp, "gid", "root", ""},
      {tcp, "gid", "no-such-group",
       "gid: there is no group of users `no-such-group` on this machine"},
      {tcp, "icmp_type", "8", "icmp_type: a flow of tcp has none"},
      {icmp, "icmp_type", "8", ""},
      {icmp, "icmp_type", "redirect", ""},
      {icmp, "icmp_type", "nd-router-solicit",
       "icmp_type: `nd-router-solicit` is not one type of icmp"},
      {icmp, "icmp_type", "8-9", "icmp_type: `8-9` is not one type of icmp"},
      {icmp, "icmp_type", "256",
       "icmp_type: `256` is not a type of ICMP or ICMPv6: 0 to 255, or its name"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.option);
    CAPTURE(row.text);
    FlowQuestion question{.flow = row.flow};
    for (const FlowOption& option : kFlowOptions)
      if (option.name == std::string(row.option)) question.*option.value = row.text;
    const auto flow = parse_flow(question);
    CHECK((flow ? "" : flow.error().message) == row.message);
  }
}

TEST_CASE("the time: now, or a moment") {
  const Time now = Time() + 1'000'000'000s;
  CHECK(parse_time({}, now).value() == now);
  CHECK(parse_time({.at = "1970-01-02T00:00:00Z"}, now).value() == Time() + 24h);
  const auto wrong = parse_time({.at = "soon"}, now);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().message.starts_with("at: `soon` is not a moment"));
}

}  // namespace
}  // namespace nfsteer
