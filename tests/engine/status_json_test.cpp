#include "engine/status_json.hpp"

#include <doctest/doctest.h>

#include "fake_control.hpp"

namespace nfsteer {
namespace {

// What programs read: a change here breaks them.
constexpr const char* kSample = R"({
  "schema": 1,
  "version": "0.1.0",
  "engine": {
    "pid": 812,
    "generation": 7,
    "starts": 2,
    "uptime_s": 273600.5,
    "state": "steering",
    "reloads": 53,
    "reloads_failed": 54,
    "ruleset_repairs": 55,
    "fallback_updates": 56,
    "snapshots": 2
  },
  "queues": [
    {
      "queue": 0,
      "received": 100,
      "accepted": 60,
      "dropped": 20,
      "rejected": 15,
      "passed": 5,
      "errors": {
        "enobufs": 3,
        "truncated_ip": 4
      },
      "waiting": 6
    },
    {
      "queue": 1,
      "received": 31,
      "accepted": 16,
      "dropped": 8,
      "rejected": 4,
      "passed": 3,
      "errors": {
        "truncated_ip": 1
      },
      "waiting": 2
    }
  ],
  "traffic": {
    "active": 100,
    "total": 101,
    "failed": 102,
    "packets": 103,
    "bytes": 104,
    "latency_us": {
      "avg": 106,
      "min": 107,
      "max": 108,
      "p50": 109,
      "p90": 100000,
      "p99": 1000000,
      "samples": 105
    },
    "last_flow": "2126-11-27T22:11:40Z"
  },
  "groups": [
    {
      "name": "web",
      "algorithm": "weighted",
      "failover": "delayed",
      "panic": true,
      "tier": 2,
      "requests": 76,
      "selected": 75,
      "failed": 1,
      "traffic": {
        "active": 200,
        "total": 201,
        "failed": 202,
        "packets": 203,
        "bytes": 204,
        "latency_us": {
          "avg": 206,
          "min": 207,
          "max": 208,
          "p50": 209,
          "p90": 200000,
          "p99": 2000000,
          "samples": 205
        },
        "last_flow": "2126-11-27T22:13:20Z"
      },
      "affinity": {
        "clients": 21,
        "evictions": 22
      },
      "servers": [
        {
          "name": "web1",
          "address": "10.2.0.1",
          "port": 8080,
          "id": 1,
          "weight": 100,
          "state": "up",
          "health": "down",
          "check": {
            "last": "2126-11-27T22:10:03Z",
            "since": "2126-11-27T22:10:01Z",
            "reason": "refused"
          },
          "ejected": true,
          "selected": 50,
          "active": 300,
          "total": 301,
          "failed": 302,
          "packets": 303,
          "bytes": 304,
          "latency_us": {
            "avg": 306,
            "min": 307,
            "max": 308,
            "p50": 309,
            "p90": 300000,
            "p99": 3000000,
            "samples": 305
          },
          "last_flow": "2126-11-27T22:15:00Z"
        },
        {
          "name": "web6",
          "address": "2001:db8:2::1",
          "port": 8081,
          "id": 2,
          "weight": 49,
          "state": "drain",
          "health": "up",
          "check": {
            "last": null,
            "since": null,
            "reason": "200"
          },
          "ejected": false,
          "selected": 25,
          "active": 400,
          "total": 401,
          "failed": 402,
          "packets": 403,
          "bytes": 404,
          "latency_us": {
            "avg": 406,
            "min": 407,
            "max": 408,
            "p50": 409,
            "p90": 400000,
            "p99": 4000000,
            "samples": 405
          },
          "last_flow": "2126-11-27T22:16:40Z"
        },
        {
          "name": "any",
          "address": "10.2.0.3",
          "port": null,
          "id": 3,
          "weight": 1,
          "state": "up",
          "health": "unknown",
          "check": null,
          "ejected": false,
          "selected": 0,
          "active": 0,
          "total": 0,
          "failed": 0,
          "packets": 0,
          "bytes": 0,
          "latency_us": {
            "avg": 0,
            "min": 0,
            "max": 0,
            "p50": 0,
            "p90": 0,
            "p99": 0,
            "samples": 0
          },
          "last_flow": null
        }
      ]
    }
  ],
  "policies": [
    {
      "name": "api",
      "priority": -200,
      "dry_run": false,
      "packets": 11,
      "bytes": 660,
      "last_match": "2126-11-27T22:10:00Z"
    },
    {
      "name": "trial",
      "priority": 5,
      "dry_run": true,
      "packets": 12,
      "bytes": 720,
      "last_match": null
    }
  ],
  "tables": [
    {
      "name": "main",
      "priority": 101,
      "routes": 9,
      "used": [
        {
          "prefix": "10.9.9.0/24",
          "target": "web",
          "metric": 6,
          "weight": 2,
          "packets": 14,
          "bytes": 840
        },
        {
          "prefix": "2001:db8:9::/48",
          "target": "drop",
          "metric": 0,
          "weight": 1,
          "packets": 13,
          "bytes": 780
        }
      ]
    },
    {
      "name": "spare",
      "priority": -1,
      "routes": 0,
      "used": []
    }
  ],
  "schedules": [
    {
      "name": "office",
      "active": true,
      "next_change": "2026-11-27T16:00:00Z"
    },
    {
      "name": "never",
      "active": false,
      "next_change": null
    }
  ],
  "failover": {
    "ejected": 51,
    "panic": 52
  },
  "cache": {
    "entries": 41,
    "hits": 42,
    "misses": 43,
    "evictions": 44
  },
  "route_cache": {
    "entries": 45,
    "hits": 46,
    "misses": 47,
    "evictions": 48
  },
  "conntrack": {
    "entries": 61,
    "max": 62,
    "flows": 63,
    "events": 64,
    "overruns": 65,
    "resyncs": 66,
    "unknown": 67,
    "broken": 68,
    "deleted": 69
  }
})";

TEST_CASE("status: the JSON that programs read") {
  CHECK(json_text(status_to_json(test::sample_status()), 2) == kSample);
}

TEST_CASE("status: read back as it was written") {
  const auto json = parse_json<OrderedJson>(kSample);
  REQUIRE(json);
  const auto status = status_from_json(*json);
  REQUIRE_MESSAGE(status, status.error().message);
  CHECK(json_text(status_to_json(*status), 2) == kSample);
  CHECK(status->counted.groups[0].servers[2].port == std::nullopt);
  CHECK(status->counted.policies[0].last_match == test::moment("2126-11-27T22:10:00Z"));
  CHECK(status->counted.policies[1].last_match == std::nullopt);
  CHECK(status->queues[0].errors.at("truncated_ip") == 4);
}

TEST_CASE("status: empty lists stay lists") {
  const std::string text = json_text(status_to_json(Status{}));
  for (const char* name : {"queues", "groups", "policies", "tables", "schedules"})
    CHECK(text.find(format("\"{}\":[]", name)) != text.npos);
}

TEST_CASE("status: what is not one is refused") {
  struct {
    const char* change;  // a JSON merge patch; null removes
    const char* said;    // a part of the error
  } const cases[] = {
      {R"({"schema": 2})", "schema 2"},
      {R"({"schema": null})", "schema"},
      {R"({"engine": null})", "engine"},
      {R"({"engine": {"pid": "x"}})", "must be number"},
      {R"({"engine": {"pid": 1e300}})", "not a number that fits"},
      {R"({"engine": {"pid": 2147483648}})", "not a number that fits"},
      {R"({"engine": {"starts": -1}})", "not a number that fits"},
      {R"({"cache": {"hits": 1.5}})", "not a number that fits"},
      {R"({"queues": [{"queue": 65536}]})", "not a number that fits"},
      {R"({"queues": {}})", "must be array"},
      {R"({"cache": {"hits": null}})", "hits"},
      {R"({"route_cache": null})", "route_cache"},
      {R"({"traffic": {"latency_us": {"p50": null}}})", "p50"},
      {R"({"conntrack": null})", "conntrack"},
      {R"({"tables": [{"name": "x"}]})", "priority"},
      {R"({"schedules": [{"name": "x", "active": true, "next_change": "soon"}]})", "not a time"},
      {R"({"schedules": [{"name": "x", "active": true, "next_change": 5}]})", "must be string"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.change);
    OrderedJson json = OrderedJson::parse(kSample);
    json.merge_patch(OrderedJson::parse(row.change));
    const auto status = status_from_json(json);
    REQUIRE_FALSE(status);
    CHECK_MESSAGE(status.error().message.find(row.said) != std::string::npos,
                  status.error().message);
  }
}

}  // namespace
}  // namespace nfsteer
