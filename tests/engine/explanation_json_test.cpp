#include "engine/explanation_json.hpp"

#include <doctest/doctest.h>

#include "fake_control.hpp"

namespace nfsteer {
namespace {

// What programs read: a change here breaks them.
constexpr const char* kSample = R"({
  "schema": 1,
  "flow": "tcp 192.0.2.7:40000 -> 203.0.113.10:443",
  "at": "2026-11-27T22:10:00Z",
  "action": "steer",
  "policy": "api",
  "table": "main",
  "route": {
    "prefix": "203.0.113.0/24",
    "metric": 10,
    "weight": 2
  },
  "group": "web",
  "server": "web/web1",
  "address": "10.2.0.1",
  "port": 8080,
  "mark": 1048576,
  "mark_mask": 4293918720,
  "failed_group": "six",
  "kernel": "ct mark 0x00100000/0xfff00000, dnat to 10.2.0.1:8080",
  "steps": [
    {
      "kind": "policy",
      "name": "ssh",
      "outcome": "no match",
      "why": "dport 443 is not 22"
    },
    {
      "kind": "policy",
      "name": "api",
      "outcome": "taken",
      "why": "proto tcp"
    }
  ],
  "policies_left_out": 11,
  "policies_not_reached": 12,
  "routes_left_out": 13
})";

TEST_CASE("an explanation as JSON, and back") {
  const Explanation sample = test::sample_explanation();
  CHECK(json_of(sample) == kSample);
  const auto read = explanation_from_json(OrderedJson::parse(kSample));
  REQUIRE_MESSAGE(read, read.error().message);
  CHECK(*read == sample);
}

TEST_CASE("what is absent is null") {
  const OrderedJson json = explanation_to_json({});
  for (const char* name :
       {"policy", "table", "route", "group", "server", "address", "port", "failed_group"})
    CHECK(json.at(name).is_null());
  CHECK(explanation_from_json(json).value() == Explanation());
}

TEST_CASE("what is no explanation of ours") {
  OrderedJson json = OrderedJson::parse(kSample);
  json["port"] = "http";
  CHECK_FALSE(explanation_from_json(json));
  json = OrderedJson::parse(kSample);
  json.erase("steps");
  CHECK_FALSE(explanation_from_json(json));
  json = OrderedJson::parse(kSample);
  json["schema"] = 2;
  CHECK(explanation_from_json(json).error().message ==
        "the engine's explanation is of schema 2, this program reads 1");
  CHECK_FALSE(explanation_from_json(OrderedJson::array()));
}

}  // namespace
}  // namespace nfsteer
