#include <doctest/doctest.h>

#include <set>

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
  // Another node, or the next version, must choose the same server.
  CHECK(hash(base) == 11243799514489125822u);
}
