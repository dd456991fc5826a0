#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "build.hpp"
#include "nfsteer/base/text.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

Config good() {
  Config config;
  config.groups = {
      {"web", "weighted", false, {server("web1", "10.2.0.1", 80), server("web2", "10.2.0.2", 80)}}};
  config.tables = {{"main", 0, {route("10.9.9.9/32", "web")}}};
  config.policies = {{"api", 0, {}, ToGroup{"web"}}, {"lan", 0, {}, ToTable{"main"}}};
  return config;
}

}  // namespace

TEST_CASE("validate: each mistake, its place and its remedy") {
  CHECK(validate(Config{}).empty());
  CHECK(validate(good()).empty());
  static const struct {
    const char* path;
    const char* message;  // parts of the message and the remedy
    const char* remedy;
    std::function<void(Config&)> spoil;
  } kCases[] = {
      {"engine.queues", "1 to 256", "", [](Config& c) { c.engine.queue_count = 0; }},
      {"engine.queues", "1 to 256", "", [](Config& c) { c.engine.queue_count = 257; }},
      {"engine.queues", "1 to 256", "",
       [](Config& c) {
         c.engine.queue_first = 65535;
         c.engine.queue_count = 2;
       }},
      {"engine.hooks", "no hook", "prerouting", [](Config& c) { c.engine.hooks.clear(); }},
      {"engine.mark_mask", "not contiguous", "", [](Config& c) { c.engine.mark.mask = 0xf0f; }},
      {"engine.mark_mask", "3 to 16", "", [](Config& c) { c.engine.mark.mask = 3; }},
      {"engine.mark_mask", "6 servers are more", "more bits",
       [](Config& c) {
         c.engine.mark.mask = 0x7;
         for (int i = 3; i < 7; ++i)
           c.groups[0].servers.push_back(server(format("web{}", i), format("10.2.0.{}", i)));
       }},
      {"group.web.algorithm", "unknown algorithm `wieghted`", "did you mean `weighted`?",
       [](Config& c) { c.groups[0].algorithm = "wieghted"; }},
      {"group.web.algorithm", "unknown algorithm `x`", "there are: round-robin",
       [](Config& c) { c.groups[0].algorithm = "x"; }},
      {"group.web", "no servers", "add", [](Config& c) { c.groups[0].servers.clear(); }},
      {"group.web", "defined twice", "", [](Config& c) { c.groups.push_back(c.groups[0]); }},
      {"group.Web", "not a name", "a-z",
       [](Config& c) {
         auto copy = c.groups[0];
         copy.name = "Web";
         c.groups.push_back(copy);
       }},
      {"group.web.servers.[1].name", "named twice", "",
       [](Config& c) { c.groups[0].servers[1].name = "web1"; }},
      {"group.web.servers.[1].name", "not a name", "",
       [](Config& c) { c.groups[0].servers[1].name = "a b"; }},
      {"group.web.servers.[1].address", "twice", "",
       [](Config& c) { c.groups[0].servers[1].address = c.groups[0].servers[0].address; }},
      {"group.web.servers.[0].weight", "1 to 10000", "",
       [](Config& c) { c.groups[0].servers[0].weight = 0; }},
      {"group.web.servers.[0].weight", "1 to 10000", "",
       [](Config& c) { c.groups[0].servers[0].weight = 10'001; }},
      {"group.web.servers.[0].port", "1 to 65535", "",
       [](Config& c) { c.groups[0].servers[0].port = 0; }},
      {"table.main", "defined twice", "",
       [](Config& c) {
         c.tables.push_back({"main", 1, {}});
       }},
      {"table.main.routes.[0].group", "group `wbe` does not exist", "did you mean `web`?",
       [](Config& c) { c.tables[0].routes[0].group = "wbe"; }},
      {"table.main.routes.[1].group", "no IPv6 server for 2001:db8::/32", "",
       [](Config& c) { c.tables[0].routes.push_back(route("2001:db8::/32", "web")); }},
      {"policy.[1].name", "defined twice", "", [](Config& c) { c.policies[1].name = "api"; }},
      {"policy.[0].name", "not a name", "", [](Config& c) { c.policies[0].name = ""; }},
      {"policy.[0].group", "group `nil` does not exist", "there are: web",
       [](Config& c) { c.policies[0].target = ToGroup{"nil"}; }},
      {"policy.[1].table", "table `mian` does not exist", "did you mean `main`?",
       [](Config& c) { c.policies[1].target = ToTable{"mian"}; }},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.path);
    CAPTURE(row.message);
    Config config = good();
    row.spoil(config);
    const auto problems = validate(config);
    REQUIRE(problems.size() == 1);
    CHECK(format("{}", join(problems[0].path, ".")) == row.path);
    CHECK(problems[0].message.find(row.message) != std::string::npos);
    CHECK(problems[0].remedy.find(row.remedy) != std::string::npos);
  }
}

TEST_CASE("validate: all mistakes at once") {
  Config config = good();
  config.engine.mark.mask = 0;
  config.groups[0].algorithm = "x";
  config.policies[1].target = ToTable{"x"};
  CHECK(validate(config).size() == 3);
}
