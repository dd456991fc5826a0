#include "engine/request.hpp"

#include <doctest/doctest.h>

#include "engine/protocol.hpp"
#include "fake_control.hpp"

namespace nfsteer {
namespace {

Answer answered(std::string_view request, Rights rights, Control& control) {
  std::vector<Answer> answers;
  answer(request, rights, control, [&answers](Answer each) { answers.push_back(std::move(each)); });
  REQUIRE(answers.size() == 1);
  return answers.front();
}

constexpr struct {
  const char* request;
  Rights rights;
  const char* asked;  // of the engine
  const char* reply;
} kServed[] = {
    {R"({"method": "nfsteer.FlushCache"})", Rights::Change, "cache", R"({"parameters":{}})"},
    {R"({"method": "nfsteer.FlushCache", "parameters": {}})", Rights::Change, "cache",
     R"({"parameters":{}})"},
    {R"({"method": "nfsteer.FlushStats"})", Rights::Change, "stats", R"({"parameters":{}})"},
    {R"({"method": "nfsteer.FlushFlows"})", Rights::Change, "flows group=- server=-",
     R"({"parameters":{"flows":3}})"},
    {R"({"method": "nfsteer.FlushFlows", "parameters": {"group": "web"}})", Rights::Change,
     "flows group=web server=-", R"({"parameters":{"flows":3}})"},
    {R"({"parameters": {"server": "web/web1"}, "method": "nfsteer.FlushFlows"})", Rights::Change,
     "flows group=- server=web/web1", R"({"parameters":{"flows":3}})"},
    {R"({"method": "nfsteer.Affinity", "parameters": {"client": "192.0.2.0/24"}})", Rights::Look,
     "affinity group=- client=192.0.2.0/24",
     R"({"parameters":{"entries":[{"group":"web","client":"192.0.2.7/32","server":"web1",)"
     R"("age_s":12}],"total":31}})"},
    {R"({"method": "nfsteer.FlushAffinity", "parameters": {"group": "web"}})", Rights::Change,
     "flush affinity group=web client=-", R"({"parameters":{"clients":31}})"},
    {R"({"method": "nfsteer.FlushStale", "parameters": {"dry_run": "true"}})", Rights::Change,
     "stale, dry run",
     R"({"parameters":{"flows":["udp 192.0.2.7:1 -> 10.9.9.9:53: its server dns/ns1 is gone"]}})"},
    {R"({"method": "nfsteer.FlushStale"})", Rights::Change, "stale",
     R"({"parameters":{"flows":["udp 192.0.2.7:1 -> 10.9.9.9:53: its server dns/ns1 is gone"]}})"},
    {R"({"method": "nfsteer.Reload"})", Rights::Change, "reload",
     R"({"parameters":{"generation":7,"seconds":0.25,"changes":["~ group.web.web1.weight 1 -> 2"],)"
     R"("changes_left_out":3,"confirm_within_s":60}})"},
    {R"({"method": "nfsteer.Reload", "parameters": {"confirm": "60"}})", Rights::Change,
     "reload confirm 60",
     R"({"parameters":{"generation":7,"seconds":0.25,"changes":["~ group.web.web1.weight 1 -> 2"],)"
     R"("changes_left_out":3,"confirm_within_s":60}})"},
    {R"({"method": "nfsteer.Confirm"})", Rights::Change, "confirm", R"({"parameters":{}})"},
    {R"({"method": "nfsteer.Undo"})", Rights::Change, "undo",
     R"({"error":"nfsteer.Failed","parameters":{"message":"there is nothing to undo"}})"},
    {R"({"method": "nfsteer.Diff", "parameters": {"path": "/a"}})", Rights::Change, "diff /a",
     R"({"parameters":{"generation":7,"seconds":0.5,"changes":["+ group.dns"],)"
     R"("changes_left_out":0,"confirm_within_s":null}})"},
    {R"({"method": "nfsteer.Set", "parameters": {"server": "web/web1", "state": "drain"}})",
     Rights::Change, "set web/web1 drain",
     R"({"parameters":{"subject":"web/web1","before":"up","after":"drain","active":12,)"
     R"("warning":""}})"},
    {R"({"method": "nfsteer.Set", "parameters": {"server": "web/web1", "weight": "50%"}})",
     Rights::Change, "set web/web1 weight 50%",
     R"({"parameters":{"subject":"web/web1","before":"weight 10","after":"weight 5","active":0,)"
     R"("warning":"it is forgotten when nfsteer ends"}})"},
    {R"({"method": "nfsteer.Set", "parameters": {"group": "web", "algorithm": "hash"}})",
     Rights::Change, "set web algorithm hash",
     R"({"parameters":{"subject":"web","before":"weighted","after":"hash","active":0,)"
     R"("warning":""}})"},
};

TEST_CASE("requests that are served") {
  for (const auto& row : kServed) {
    CAPTURE(row.request);
    test::FakeControl control;
    const Answer got = answered(row.request, row.rights, control);
    CHECK(got.text == row.reply);
    CHECK_FALSE(got.hang_up);
    CHECK(control.asked == row.asked);
  }
}

TEST_CASE("everybody may look") {
  test::FakeControl control;
  for (const Rights rights : {Rights::Look, Rights::Change}) {
    const Answer got = answered(R"({"method": "nfsteer.Status"})", rights, control);
    CHECK(Json::parse(got.text).at("parameters").at("engine").at("pid") == 812);
  }
}

TEST_CASE("everybody may ask why, with all that can be said of a flow") {
  for (const Rights rights : {Rights::Look, Rights::Change}) {
    test::FakeControl control;
    const Answer got = answered(
        R"({"method": "nfsteer.Explain", "parameters": {"flow": "gre 10.0.0.1 10.0.0.2",
            "iif": "a", "oif": "b", "mark": "c", "uid": "d", "gid": "e", "icmp_type": "f",
            "at": "g"}})",
        rights, control);
    CHECK(control.asked ==
          "explain gre 10.0.0.1 10.0.0.2 iif=a oif=b mark=c uid=d gid=e icmp_type=f at=g");
    CHECK(Json::parse(got.text).at("parameters").at("server") == "web/web1");
  }
}

constexpr struct {
  const char* request;
  Rights rights;
  const char* error;
  const char* message;
  bool hang_up;
} kRefused[] = {
    // What is no request: the next byte cannot be trusted to begin one.
    {"", Rights::Change, "BadRequest", "not JSON: error at byte 1", true},
    {"garbage", Rights::Change, "BadRequest", "not JSON: error at byte 1", true},
    {R"({"method": "nfsteer.Status")", Rights::Change, "BadRequest", "not JSON: error at byte 28",
     true},
    {R"({"method": "nfsteer.Status"} {})", Rights::Change, "BadRequest",
     "not JSON: error at byte 30", true},
    {"{\"method\": \"\xff\"}", Rights::Change, "BadRequest", "not JSON: error at byte 13", true},
    {"[]", Rights::Change, "BadRequest", "not a JSON object", true},
    {"null", Rights::Change, "BadRequest", "not a JSON object", true},
    {"{}", Rights::Change, "BadRequest", "no string `method`", true},
    {R"({"method": 1})", Rights::Change, "BadRequest", "no string `method`", true},
    {R"({"method": "nfsteer.Status", "parameters": []})", Rights::Change, "BadRequest",
     "`parameters` is not an object", true},
    {R"({"method": "nfsteer.Status", "more": true})", Rights::Change, "BadRequest",
     "unknown key `more`", true},

    // What is one, and cannot be done.
    {R"({"method": "nfsteer.Statsu"})", Rights::Change, "UnknownMethod",
     "there is no method `nfsteer.Statsu`: did you mean `nfsteer.Status`?", false},
    {R"({"method": "\u0007\n"})", Rights::Change, "UnknownMethod",
     R"(there is no method `\x07\x0a`)", false},
    {R"({"method": "nfsteer.FlushFlows", "parameters": {"sever": "a/b"}})", Rights::Change,
     "InvalidParameter", "nfsteer.FlushFlows has no parameter `sever`: did you mean `server`?",
     false},
    {R"({"method": "nfsteer.Status", "parameters": {"group": "web"}})", Rights::Change,
     "InvalidParameter", "nfsteer.Status has no parameter `group`", false},
    {R"({"method": "nfsteer.FlushFlows", "parameters": {"group": 1}})", Rights::Change,
     "InvalidParameter", "`group` is not a string", false},
    {R"({"method": "nfsteer.FlushFlows", "parameters": {"group": "a", "server": "a/b"}})",
     Rights::Change, "InvalidParameter", "name a group or a server, not both", false},
    {R"({"method": "nfsteer.FlushFlows", "parameters": {"group": "wbe"}})", Rights::Change,
     "Failed", "there is no group `wbe`: did you mean `web`?", false},

    {R"({"method": "nfsteer.Explain"})", Rights::Look, "InvalidParameter", "which flow?", false},
    {R"({"method": "nfsteer.Explain", "parameters": {"flwo": "x"}})", Rights::Change,
     "InvalidParameter", "nfsteer.Explain has no parameter `flwo`: did you mean `flow`?", false},

    // Who may only look.
    {R"({"method": "nfsteer.FlushCache"})", Rights::Look, "NotPermitted",
     "nfsteer.FlushCache is for root and for the engine's own user", false},
    {R"({"method": "nfsteer.FlushStats"})", Rights::Look, "NotPermitted",
     "nfsteer.FlushStats is for root and for the engine's own user", false},
    {R"({"method": "nfsteer.FlushStale", "parameters": {"dry_run": "yes"}})", Rights::Change,
     "InvalidParameter", "`dry_run` must be \"true\" or \"false\"", false},
    {R"({"method": "nfsteer.Affinity", "parameters": {"group": "wbe"}})", Rights::Look,
     "InvalidParameter", "there is no group `wbe`: did you mean `web`?", false},
    {R"({"method": "nfsteer.FlushAffinity"})", Rights::Look, "NotPermitted",
     "nfsteer.FlushAffinity is for root and for the engine's own user", false},
    {R"({"method": "nfsteer.FlushFlows"})", Rights::Look, "NotPermitted",
     "nfsteer.FlushFlows is for root and for the engine's own user", false},
    {R"({"method": "nfsteer.Reload"})", Rights::Look, "NotPermitted",
     "nfsteer.Reload is for root and for the engine's own user", false},
    {R"({"method": "nfsteer.Diff", "parameters": {"path": "/etc/shadow"}})", Rights::Look,
     "NotPermitted", "nfsteer.Diff is for root and for the engine's own user", false},
    {R"({"method": "nfsteer.Set", "parameters": {"group": "web", "algorithm": "hash"}})",
     Rights::Look, "NotPermitted", "nfsteer.Set is for root and for the engine's own user", false},

    {R"({"method": "nfsteer.Reload", "parameters": {"confirm": "0"}})", Rights::Change,
     "InvalidParameter", "`confirm` must be 1 to 86400 seconds", false},
    {R"({"method": "nfsteer.Reload", "parameters": {"confirm": "60s"}})", Rights::Change,
     "InvalidParameter", "`confirm` must be 1 to 86400 seconds", false},
    {R"({"method": "nfsteer.Diff"})", Rights::Change, "InvalidParameter",
     "`path` must be the absolute path of a file", false},
    {R"({"method": "nfsteer.Diff", "parameters": {"path": "rules.toml"}})", Rights::Change,
     "InvalidParameter", "`path` must be the absolute path of a file", false},
    {R"({"method": "nfsteer.Set", "parameters": {"server": "web/wbe1", "state": "up"}})",
     Rights::Change, "Failed", "there is no server `web/wbe1`: did you mean `web/web1`?", false},
    {R"({"method": "nfsteer.Set", "parameters": {"server": "web/web1", "state": "dead"}})",
     Rights::Change, "InvalidParameter", "`dead` is no state: there are up, drain, maintenance",
     false},
    {R"({"method": "nfsteer.Set", "parameters": {"server": "web/web1", "weight": "0"}})",
     Rights::Change, "InvalidParameter",
     "`0` is no weight: it is 1 to 10000, or 1% to 10000%; to take a server out, drain it", false},
    {R"({"method": "nfsteer.Set", "parameters": {"server": "web/web1", "weight": "10001"}})",
     Rights::Change, "InvalidParameter", "`10001` is no weight: it is 1 to 10000, or 1% to 10000%",
     false},
    {R"({"method": "nfsteer.Set", "parameters": {"server": "web/web1"}})", Rights::Change,
     "InvalidParameter",
     "name a `server` and its `state` or `weight`, or a `group` and its `algorithm`", false},
    {R"({"method": "nfsteer.Set", "parameters": {"group": "web", "weight": "2"}})", Rights::Change,
     "InvalidParameter",
     "name a `server` and its `state` or `weight`, or a `group` and its `algorithm`", false},
};

TEST_CASE("requests that are refused") {
  for (const auto& row : kRefused) {
    CAPTURE(row.request);
    test::FakeControl control;
    const Answer got = answered(row.request, row.rights, control);
    const Json json = Json::parse(got.text);
    CHECK(json.at("error") == format("nfsteer.{}", row.error));
    CHECK(json.at("parameters").at("message") == row.message);
    CHECK(got.hang_up == row.hang_up);
    if (row.error == std::string("NotPermitted")) CHECK(control.asked.empty());
  }
}

TEST_CASE("requests as deep, wide or long as they can be") {
  test::FakeControl control;
  const auto said = [&](const std::string& request) {
    return Json::parse(answered(request, Rights::Change, control).text)
        .at("parameters")
        .at("message")
        .get<std::string>();
  };
  const std::string open(kRequestBytesMax, '[');
  CHECK(said(open) == format("not JSON: error at byte {}", kRequestBytesMax + 1));
  const std::size_t half = kRequestBytesMax / 2;
  CHECK(said(std::string(half, '[') + std::string(half, ']')) == "nested deeper than 32 levels");
  CHECK(said(R"({"method":1e999})") == "not JSON: a number that is too large");

  std::string wide = "{";
  while (wide.size() < kRequestBytesMax) wide += format("\"{}\":0,", wide.size());
  CHECK(said(wide + "\"method\":0}").starts_with("unknown key"));
  CHECK(said(format(R"({{"method": "{}"}})", std::string(kRequestBytesMax, 'x'))) ==
        format("there is no method `{}...`", std::string(60, 'x')));
}

TEST_CASE("an engine that throws is an answer") {
  test::FakeControl control;
  control.broken = true;
  const Answer got = answered(R"({"method": "nfsteer.Status"})", Rights::Look, control);
  CHECK(got.text == R"({"error":"nfsteer.Failed","parameters":{"message":"a library failed"}})");
}

}  // namespace
}  // namespace nfsteer
