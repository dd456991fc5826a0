// What every row of checks.def keeps, and what problems_of() refuses in a check made in code.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "checks.hpp"
#include "health/options.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;
using namespace std::chrono_literals;

namespace {

// "PATH: MESSAGE (REMEDY)", a line each.
std::string problems(const CheckConfig& check) {
  std::string text;
  for (const CheckProblem& problem : problems_of(check)) {
    for (const std::string& step : problem.path)
      text += (&step == &problem.path[0] ? "" : ".") + step;
    text += ": " + problem.message;
    if (!problem.remedy.empty()) text += " (" + problem.remedy + ")";
    text += "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("every kind: it has a name of its own, a summary, and options that say what they are") {
  std::set<std::string> names;
  for (const CheckKind& kind : check_kinds()) {
    CAPTURE(std::string(kind.name));
    CHECK(names.insert(kind.name).second);
    CHECK(find_check_kind(kind.name) == &kind);
    CHECK(std::string(kind.summary).size() > 5);
    std::set<std::string> keys;
    for (const CheckOption& option : kind.options) {
      CHECK(keys.insert(option.key).second);
      CHECK(std::string(option.expects).size() > 5);
      if (!option.check) continue;
      // Texts that no option takes, or that any may take: it does not fall over them.
      for (const char* text : {"", "\\", "\\x", "{address}", "/", "-", "99999999999999999999-1"}) {
        const auto good = option.check(text, 0);
        if (!good) CHECK(!good.error().message.empty());
      }
    }
  }
  CHECK(names.size() == 6);
  CHECK(find_check_kind("tcp ") == nullptr);
  CHECK(find_check_kind("") == nullptr);
}

TEST_CASE("problems_of: a check made in code") {
  using Texts = std::vector<std::string>;
  static const struct {
    std::string_view want;
    void (*spoil)(CheckConfig& check);
  } kCases[] = {
      {"", [](CheckConfig&) {}},
      {"interval: `interval` is 50ms to 1h\n",
       [](CheckConfig& c) { c.interval = c.interval_down = 2h, c.interval_down = 1h; }},
      {"interval_down: `interval_down` is 50ms to 1h\n",
       [](CheckConfig& c) { c.interval_down = 0ms; }},
      {"timeout: `timeout` is 10ms to 1h\n", [](CheckConfig& c) { c.timeout = -1ms; }},
      {"timeout: the time-out of 3s is longer than the interval of 2s (a probe ends before the "
       "next one is due)\n",
       [](CheckConfig& c) { c.timeout = 3s; }},
      {"rise: `rise` is 1 to 100 in a row\n", [](CheckConfig& c) { c.rise = 0; }},
      {"fall: `fall` is 1 to 100 in a row\n", [](CheckConfig& c) { c.fall = 101; }},
      {"jitter: `jitter` is 0 to 50 percent\n", [](CheckConfig& c) { c.jitter_percent = 51; }},
      {"port: a port is 1 to 65535\n", [](CheckConfig& c) { c.port = 0; }},
      {"kind: unknown kind of check `x` (there are: tcp, http, https, icmp, udp, exec)\n",
       [](CheckConfig& c) { c.kind = "x"; }},
      {"path: a check of the kind `tcp` has no option `path`\n",
       [](CheckConfig& c) { c.options["path"] = std::string("/"); }},
      {"pth: a check of the kind `http` has no option `pth` (did you mean `path`?)\n",
       [](CheckConfig& c) {
         c.kind = "http";
         c.options["pth"] = std::string("/");
       }},
      {"path: `path` must be a path such as \"/healthz\"\n",
       [](CheckConfig& c) {
         c.kind = "http";
         c.options["path"] = true;
       }},
      {"status: `status` must be status codes such as [\"200-299\", 304]\n",
       [](CheckConfig& c) {
         c.kind = "http";
         c.options["status"] = Texts{};
       }},
      {"status.[1]: `ok` is no status code from 100 to 599, and no range of them such as "
       "\"200-299\"\n",
       [](CheckConfig& c) {
         c.kind = "http";
         c.options["status"] = Texts{"200", "ok"};
       }},
      {": a check of the kind `udp` needs `send` (the bytes of a datagram, such as "
       "\"\\\\x00PING\")\n",
       [](CheckConfig& c) { c.kind = "udp"; }},
      {"send: a datagram of a check has 1 to 1024 bytes, not 1025\n",
       [](CheckConfig& c) {
         c.kind = "udp";
         c.options["send"] = std::string(1'025, 'x');
       }},
      {"user: there is no user `a\\x00b` on this machine\n",
       [](CheckConfig& c) {
         c.kind = "exec";
         c.options["command"] = Texts{"/bin/true"};
         c.options["user"] = std::string("a\0b", 3);
       }},
  };
  for (const auto& row : kCases) {
    CheckConfig check = plain_check();
    row.spoil(check);
    CHECK(problems(check) == row.want);
  }
}

TEST_CASE("target_of: whose port is asked") {
  static const struct {
    const char* kind;
    std::optional<std::uint16_t> check, server;
    std::optional<std::uint16_t> want;  // nullopt: there is no target
  } kCases[] = {
      {"tcp", {}, 80, 80}, {"tcp", 81, 80, 81},  {"tcp", 81, {}, 81}, {"tcp", {}, {}, {}},
      {"udp", {}, {}, {}}, {"icmp", {}, 80, 0},  {"icmp", {}, {}, 0}, {"exec", {}, 80, 80},
      {"exec", {}, {}, 0}, {"exec", 81, {}, 81},
  };
  for (const auto& row : kCases) {
    CheckConfig check = plain_check();
    check.kind = row.kind;
    check.port = row.check;
    const auto target = target_of(check, Address::v4(1), row.server);
    CHECK(target.has_value() == row.want.has_value());
    if (target) CHECK(*target == CheckTarget{"plain", Address::v4(1), *row.want});
  }
}

TEST_CASE("bytes as text, and back") {
  static const struct {
    std::string_view text;
    std::optional<std::string> want;
  } kCases[] = {
      {"ping", "ping"},
      {"\\x00\\xfF\\n\\r\\t\\\\", std::string("\0\xff\n\r\t\\", 6)},
      {"\\\\x00", "\\x00"},
      {"\xc3\xa4", "\xc3\xa4"},
      {"", ""},
      {"\\", {}},
      {"\\x", {}},
      {"\\x0", {}},
      {"\\x0g", {}},
      {"\\x-1", {}},
      {"\\X00", {}},
      {"\\0", {}},
      {std::string_view("\\\0", 2), {}},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.text);
    const auto got = unescape(row.text);
    CHECK(got.has_value() == row.want.has_value());
    if (got && row.want) CHECK(*got == *row.want);
  }
  CHECK(escape(std::string("a\0\x7f\xff~ ", 6), 6) == "a\\x00\\x7f\\xff~ ");
  CHECK(escape("abc", 2) == "ab...");
}
