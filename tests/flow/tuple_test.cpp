#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "nfsteer/flow.hpp"

using namespace nfsteer;

TEST_CASE("protocols: names and numbers") {
  CHECK(parse_protocol("tcp") == 6);
  CHECK(parse_protocol("sctp") == 132);
  CHECK(parse_protocol("0") == 0);
  CHECK(parse_protocol("255") == 255);
  CHECK_FALSE(parse_protocol("256"));
  CHECK_FALSE(parse_protocol("TCP"));
  CHECK_FALSE(parse_protocol(""));
  CHECK(protocol_name(6) == "tcp");
  CHECK(protocol_name(200) == "200");
}

TEST_CASE("hash: every field of the tuple counts, and the seed; equal on every machine") {
  const FiveTuple base{*parse_address("192.0.2.7"), *parse_address("10.9.9.9"), 40000, 80, 6};
  std::set<std::uint64_t> seen{hash(base)};
  FiveTuple other = base;
  other.source = *parse_address("192.0.2.8");
  seen.insert(hash(other));
  other = base;
  other.destination = *parse_address("10.9.9.8");
  seen.insert(hash(other));
  other = base;
  other.source_port = 40001;
  seen.insert(hash(other));
  other = base;
  other.destination_port = 81;
  seen.insert(hash(other));
  other = base;
  other.protocol = 17;
  seen.insert(hash(other));
  seen.insert(hash(base, 1));
  CHECK(seen.size() == 7);
  CHECK(hash(TupleKey(base)) == hash(base));
  CHECK(hash(TupleKey(base), 1) == hash(base, 1));
  // Another node, or the next version, must choose the same server.
  CHECK(hash(base) == 5061405191200680636u);
}

TEST_CASE("tuple key: equal where the tuples are") {
  const FiveTuple base{*parse_address("0.0.0.1"), *parse_address("10.9.9.9"), 1, 2, 6};
  CHECK(TupleKey(base) == TupleKey(FiveTuple(base)));
  const struct {
    const char* what;
    void (*change)(FiveTuple&);
  } kCases[] = {
      {"source", [](FiveTuple& t) { t.source.low ^= 1u << 31; }},
      {"source family", [](FiveTuple& t) { t.source.family = Family::V6; }},
      {"destination", [](FiveTuple& t) { t.destination.low ^= 1; }},
      {"destination family", [](FiveTuple& t) { t.destination.family = Family::V6; }},
      {"both families", [](FiveTuple& t) { t.source.family = t.destination.family = Family::V6; }},
      {"upper half", [](FiveTuple& t) { t.destination.high = 1; }},
      {"ports swapped", [](FiveTuple& t) { std::swap(t.source_port, t.destination_port); }},
      {"source port", [](FiveTuple& t) { t.source_port = 0x8001; }},
      {"destination port", [](FiveTuple& t) { t.destination_port = 0x8002; }},
      {"protocol", [](FiveTuple& t) { t.protocol = 0x86; }},
  };
  std::set<std::array<std::uint64_t, 5>> seen{TupleKey(base).words};
  for (const auto& row : kCases) {
    CAPTURE(row.what);
    FiveTuple other = base;
    row.change(other);
    CHECK(seen.insert(TupleKey(other).words).second);
  }
}

TEST_CASE("flow key: keeps what counts, and nothing else") {
  Flow base;
  base.tuple = {*parse_address("192.0.2.7"), *parse_address("10.9.9.9"), 40000, 80, 6};
  FlowFields all;
  all.source_bits4 = all.destination_bits4 = 32;
  all.source_bits6 = all.destination_bits6 = 128;
  all.source_port = all.destination_port = all.protocol = all.icmp_type = true;
  all.mark = all.in_interface = all.out_interface = all.uid = all.gid = true;
  all.source_country = all.destination_country = true;
  const struct {
    const char* what;
    void (*change)(Flow&);
    void (*ignore)(FlowFields&);  // what makes the change count
  } kCases[] = {
      {"source", [](Flow& f) { f.tuple.source.low ^= 1; },
       [](FlowFields& r) { r.source_bits4 = 31; }},
      {"source, first bit", [](Flow& f) { f.tuple.source.low ^= 1u << 31; },
       [](FlowFields& r) { r.source_bits4 = 0; }},
      {"destination", [](Flow& f) { f.tuple.destination.low ^= 0x80; },
       [](FlowFields& r) { r.destination_bits4 = 24; }},
      {"source port", [](Flow& f) { f.tuple.source_port ^= 1; },
       [](FlowFields& r) { r.source_port = false; }},
      {"destination port", [](Flow& f) { f.tuple.destination_port ^= 1; },
       [](FlowFields& r) { r.destination_port = false; }},
      {"protocol", [](Flow& f) { f.tuple.protocol = 17; },
       [](FlowFields& r) { r.protocol = false; }},
      {"has ports", [](Flow& f) { f.has_ports = true; }, [](FlowFields& r) { r.protocol = false; }},
      {"type 0, not none", [](Flow& f) { f.icmp_type = 0; },
       [](FlowFields& r) { r.icmp_type = false; }},
      {"mark, first bit", [](Flow& f) { f.mark = 0x8000'0000; },
       [](FlowFields& r) { r.mark = false; }},
      {"mark, last bit", [](Flow& f) { f.mark = 1; }, [](FlowFields& r) { r.mark = false; }},
      {"iif", [](Flow& f) { f.in_interface = interface_key("fifteen-letters"); },
       [](FlowFields& r) { r.in_interface = false; }},
      {"oif", [](Flow& f) { f.out_interface = interface_key("e"); },
       [](FlowFields& r) { r.out_interface = false; }},
      {"user 0, not none", [](Flow& f) { f.uid = 0; }, [](FlowFields& r) { r.uid = false; }},
      {"group 0, not none", [](Flow& f) { f.gid = 0; }, [](FlowFields& r) { r.gid = false; }},
      {"highest user", [](Flow& f) { f.uid = 0xffff'fffe; }, [](FlowFields& r) { r.uid = false; }},
      {"highest group", [](Flow& f) { f.gid = 0xffff'fffe; }, [](FlowFields& r) { r.gid = false; }},
  };
  std::set<std::array<std::uint64_t, 12>> seen{FlowKey(base, all, 0, 0).words};
  CHECK(seen.insert(FlowKey(base, all, 1, 0).words).second);
  CHECK(seen.insert(FlowKey(base, all, 0, 1).words).second);
  for (const auto& row : kCases) {
    CAPTURE(row.what);
    Flow other = base;
    row.change(other);
    CHECK(seen.insert(FlowKey(other, all, 0, 0).words).second);
    FlowFields few = all;
    row.ignore(few);
    CHECK(FlowKey(other, few, 0, 0) == FlowKey(base, few, 0, 0));
    CHECK(hash(FlowKey(other, few, 0, 0)) == hash(FlowKey(base, few, 0, 0)));
  }
  // The packet's length never counts, the family always.
  Flow other = base;
  other.bytes = 1500;
  CHECK(FlowKey(other, all, 0, 0) == FlowKey(base, all, 0, 0));
  other.tuple.source = other.tuple.destination = Address::v6(0, 0);
  CHECK(FlowKey(other, {}, 0, 0) != FlowKey(base, {}, 0, 0));
}

TEST_CASE("interfaces: names and keys, there and back") {
  for (const char* name : {"", "a", "eth0", "br-lan.17@x", "fifteen-letters"}) {
    CAPTURE(name);
    CHECK(interface_name(interface_key(name)) == name);
    CHECK((interface_key(name) == kNoInterface) == (*name == '\0'));
  }
  CHECK(interface_key({}) == kNoInterface);
  CHECK(interface_key("sixteen-letters-") == interface_key("sixteen-letters"));
  CHECK(interface_key("eth0") != interface_key("eth1"));
  CHECK(interface_key("eth0") == Address::v6(0x6574'6830'0000'0000, 0));
  // All names with one beginning are a prefix.
  const Prefix eth{interface_key("eth"), 24};
  CHECK(eth.contains(interface_key("eth")));
  CHECK(eth.contains(interface_key("eth17")));
  CHECK_FALSE(eth.contains(interface_key("et")));
  CHECK_FALSE(eth.contains(interface_key("wg0")));
}
