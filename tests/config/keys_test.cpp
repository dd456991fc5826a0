// Every key of a rules file: values that are accepted, beside values that are
// refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <thread>

#include "nfsteer/config.hpp"

using namespace nfsteer;

namespace {

// The first message, or "" where the text is accepted.
std::string first_message(const std::string& text) {
  const LoadResult result = parse_config(text, "test.toml");
  const auto* diagnostics = std::get_if<std::vector<Diagnostic>>(&result);
  if (!diagnostics) return "";
  REQUIRE(!diagnostics->empty());
  CHECK(diagnostics->size() == 1);
  return diagnostics->front().message;
}

Config accepted(const std::string& text) {
  LoadResult result = parse_config(text, "test.toml");
  REQUIRE_MESSAGE(std::holds_alternative<Config>(result), text);
  return std::get<Config>(std::move(result));
}

// A file with one line of a section, and what else the section needs.
std::string engine_line(std::string_view line) {
  return "[engine]\n" + std::string(line) + "\n";
}
std::string group_line(std::string_view line) {
  const bool has_servers = line.starts_with("servers");
  return "[group.web]\n" + std::string(line) + "\n" +
         (has_servers ? "" : "servers = [{ name = \"a\", address = \"10.2.0.1\" }]\n");
}
std::string server_rest(std::string_view rest) {
  return "[group.web]\nservers = [{ " + std::string(rest) + " }]\n";
}
std::string table_line(std::string_view line) {
  return group_line("") + "[table.main]\n" + std::string(line) + "\n";
}
std::string route_rest(std::string_view rest) {
  return table_line("routes = [{ " + std::string(rest) + " }]");
}
std::string policy_lines(std::string_view lines) {
  return table_line("") + "[[policy]]\n" + std::string(lines) + "\n";
}
std::string match_rest(std::string_view rest) {
  return policy_lines("name = \"p\"\naction = \"drop\"\nmatch = { " + std::string(rest) + " }");
}

struct Case {
  std::string (*file)(std::string_view);
  std::string_view text;
  std::string_view want;  // a part of the message; "": accepted
};

constexpr std::string_view kServer = "name = \"a\", address = \"10.2.0.1\"";

}  // namespace

TEST_CASE("keys of [engine]") {
  constexpr std::string_view kQueues = "`queues` must be a number from 1 to 256";
  constexpr std::string_view kHooks = "`hooks` must be \"prerouting\" or \"output\"";
  constexpr Case kCases[] = {
      {engine_line, "", ""},
      {engine_line, "queues = 1", ""},
      {engine_line, "queues = 256", ""},
      {engine_line, "queues = 0", kQueues},
      {engine_line, "queues = 257", kQueues},
      {engine_line, "queues = 2.0", kQueues},
      {engine_line, "queues = \"auto\"", ""},
      {engine_line, "queues = \"Auto\"", kQueues},
      {engine_line, "queues = \"4-7\"", ""},
      {engine_line, "queues = \"65535-65535\"", ""},
      {engine_line, "queues = \"0-255\"", ""},
      {engine_line, "queues = \"0-256\"", kQueues},
      {engine_line, "queues = \"65535-65536\"", kQueues},
      {engine_line, "queues = \"7-4\"", kQueues},
      {engine_line, "queues = \"4\"", kQueues},  // how many, or which?
      {engine_line, "queues = \"4-\"", kQueues},
      {engine_line, "queues = [4, 5]", kQueues},
      {engine_line, "hooks = \"output\"", ""},
      {engine_line, "hooks = [\"prerouting\", \"output\"]", ""},
      {engine_line, "hooks = [\"input\"]", kHooks},
      {engine_line, "hooks = 1", kHooks},
      {engine_line, "hooks = []", "`hooks` must have at least one value"},
      {engine_line, "hooks = [\"output\", \"output\"]", "`hooks` has `output` twice"},
      {engine_line, "mark_mask = 0xffff0000", ""},
      {engine_line, "mark_mask = 0xff00ff00", "not contiguous"},
      {engine_line, "mark_mask = 0x3", "2 bits"},
      {engine_line, "mark_mask = 0", "mark_mask"},
      {engine_line, "mark_mask = 0x100000000", "`mark_mask` must be a whole number"},
      {engine_line, "mark_mask = \"0xfff00000\"", "`mark_mask` must be a whole number"},
      {engine_line, "queue_length = 16", ""},
      {engine_line, "queue_length = 1_000_000", ""},
      {engine_line, "queue_length = 15", "whole number from 16 to 1000000"},
      {engine_line, "queue_length = 1000001", "whole number from 16 to 1000000"},
      {engine_line, "copy_bytes = 64", ""},
      {engine_line, "copy_bytes = 65531", ""},
      {engine_line, "copy_bytes = 63", "whole number from 64 to 65531"},
      {engine_line, "copy_bytes = 65532", "whole number from 64 to 65531"},
      {engine_line, "on_engine_down = \"bypass\"", ""},
      {engine_line, "on_engine_down = \"drop\"", ""},
      {engine_line, "on_engine_down = \"accept\"", "must be \"bypass\" or \"drop\""},
      {engine_line, "on_bad_packet = \"accept\"", ""},
      {engine_line, "on_bad_packet = \"drop\"", ""},
      {engine_line, "on_bad_packet = \"reject\"", "must be \"accept\" or \"drop\""},
      {engine_line, "workers = 2", "unknown key `workers` in engine"},
  };
  for (const Case& row : kCases) {
    CAPTURE(row.text);
    const std::string got = first_message(row.file(row.text));
    CHECK((row.want.empty() ? got.empty() : got.find(row.want) != std::string::npos));
  }
}

TEST_CASE("keys of groups and servers") {
  constexpr Case kCases[] = {
      {group_line, "", ""},
      {group_line, "algorithm = \"weighted\"", ""},
      {group_line, "algorithm = \"round-robin\"", ""},
      {group_line, "algorithm = \"wieghted\"", "unknown algorithm `wieghted`"},
      {group_line, "algorithm = 1", "`algorithm` must be text"},
      {group_line, "snat = true", ""},
      {group_line, "snat = 1", "`snat` must be true or false"},
      {group_line, "servers = []", "group `web` has no servers"},
      {group_line, "servers = 5", "`servers` must be a list of tables"},
      {group_line, "servers = [\"10.2.0.1\"]", "`group.web.servers[0]` must be a table"},
      {group_line, "weight = 1", "unknown key `weight` in group.web"},
      {server_rest, kServer, ""},
      {server_rest, "name = \"0-_\", address = \"::1\"", ""},
      {server_rest, "name = \"-a\", address = \"::1\"", "not a name for a server"},
      {server_rest, "name = \"\", address = \"::1\"", "not a name for a server"},
      {server_rest, "name = 1, address = \"::1\"", "`name` must be text"},
      {server_rest, "address = \"::1\"", "group.web.servers[0] needs `name`"},
      {server_rest, "name = \"a\"", "group.web.servers[0] needs `address`"},
      {server_rest, "name = \"a\", address = \"10.2.0.1:80\"", "not an IPv4 or IPv6 address"},
      {server_rest, "name = \"a\", address = 10", "`address` must be text"},
      {server_rest, "name = \"a\", address = \"::1\", port = 1", ""},
      {server_rest, "name = \"a\", address = \"::1\", port = 65535", ""},
      {server_rest, "name = \"a\", address = \"::1\", port = 0", "number from 1 to 65535"},
      {server_rest, "name = \"a\", address = \"::1\", port = 65536", "number from 1 to 65535"},
      {server_rest, "name = \"a\", address = \"::1\", port = \"80\"", "number from 1 to 65535"},
      {server_rest, "name = \"a\", address = \"::1\", weight = 1", ""},
      {server_rest, "name = \"a\", address = \"::1\", weight = 10000", ""},
      {server_rest, "name = \"a\", address = \"::1\", weight = 0", "number from 1 to 10000"},
      {server_rest, "name = \"a\", address = \"::1\", weight = 10001", "number from 1 to 10000"},
      {server_rest, "name = \"a\", adress = \"::1\"", "unknown key `adress`"},  // and not missing
  };
  for (const Case& row : kCases) {
    CAPTURE(row.text);
    const std::string got = first_message(row.file(row.text));
    CHECK((row.want.empty() ? got.empty() : got.find(row.want) != std::string::npos));
  }
}

TEST_CASE("keys of tables and routes") {
  constexpr std::string_view kPriority =
      "`priority` must be a whole number from -1000000 to 1000000";
  constexpr Case kCases[] = {
      {table_line, "", ""},
      {table_line, "priority = -1000000", ""},
      {table_line, "priority = 1000000", ""},
      {table_line, "priority = -1000001", kPriority},
      {table_line, "priority = 1000001", kPriority},
      {table_line, "routes = []", ""},
      {table_line, "routes = 1", "`routes` must be a list of tables"},
      {table_line, "route = []", "unknown key `route` in table.main"},
      {route_rest, "prefix = \"10.9.9.9\", group = \"web\"", ""},
      {route_rest, "prefix = \"0.0.0.0/0\", group = \"web\"", ""},
      {route_rest, "prefix = \"10.9.9.9/24\", group = \"web\"", "the network is 10.9.9.0/24"},
      {route_rest, "prefix = \"10.9.9.0/33\", group = \"web\"", "prefix length"},
      {route_rest, "prefix = \"any\", group = \"web\"", "not a prefix"},
      {route_rest, "prefix = 10, group = \"web\"", "`prefix` must be text"},
      {route_rest, "group = \"web\"", "table.main.routes[0] needs `prefix`"},
      {route_rest, "prefix = \"10.0.0.0/8\"", "table.main.routes[0] needs `group`"},
      {route_rest, "prefix = \"10.0.0.0/8\", group = \"wbe\"", "group `wbe` does not exist"},
      {route_rest, "prefix = \"2001:db8::/32\", group = \"web\"", "has no IPv6 server"},
      {route_rest, "prefix = \"10.0.0.0/8\", group = [\"web\"]", "`group` must be text"},
      {route_rest, "prefix = \"10.0.0.0/8\", group = \"web\", metric = 0", ""},
      {route_rest, "prefix = \"10.0.0.0/8\", group = \"web\", metric = 4294967295", ""},
      {route_rest, "prefix = \"10.0.0.0/8\", group = \"web\", metric = 4294967296", "`metric`"},
      {route_rest, "prefix = \"10.0.0.0/8\", group = \"web\", metric = -1", "`metric`"},
      {route_rest, "prefix = \"10.0.0.0/8\", group = \"web\", wight = 1", "unknown key `wight`"},
  };
  for (const Case& row : kCases) {
    CAPTURE(row.text);
    const std::string got = first_message(row.file(row.text));
    CHECK((row.want.empty() ? got.empty() : got.find(row.want) != std::string::npos));
  }
}

TEST_CASE("keys of policies") {
  constexpr Case kCases[] = {
      {policy_lines, "name = \"p\"\ngroup = \"web\"", ""},
      {policy_lines, "name = \"p\"\ntable = \"main\"", ""},
      {policy_lines, "name = \"p\"\naction = \"accept\"", ""},
      {policy_lines, "name = \"p\"\naction = \"drop\"", ""},
      {policy_lines, "name = \"p\"\naction = \"reject\"", ""},
      {policy_lines, "name = \"p\"\naction = \"steer\"", "`action` must be \"accept\" or"},
      {policy_lines, "name = \"p\"\ngroup = \"main\"", "group `main` does not exist"},
      {policy_lines, "name = \"p\"\ntable = \"web\"", "table `web` does not exist"},
      {policy_lines, "name = \"p\"\ngroup = 1", "`group` must be text"},
      {policy_lines, "name = \"p\"", "policy[0] needs one of `group`, `table`, `action`"},
      {policy_lines, "name = \"p\"\ntabel = \"main\"", "unknown key `tabel`"},  // and a target
      {policy_lines, "name = \"p\"\ngroup = \"web\"\naction = \"drop\"", "a policy has one target"},
      {policy_lines, "action = \"drop\"", "policy[0] needs `name`"},
      {policy_lines, "name = \"P\"\naction = \"drop\"", "not a name for a policy"},
      {policy_lines, "name = \"p\"\naction = \"drop\"\npriority = -1", ""},
      {policy_lines, "name = \"p\"\naction = \"drop\"\npriority = 1000001", "`priority`"},
      {policy_lines, "name = \"p\"\naction = \"drop\"\npriority = \"high\"", "`priority`"},
      {policy_lines, "name = \"p\"\naction = \"drop\"\nmatch = \"tcp\"", "must be a table"},
      {match_rest, "", ""},
      {match_rest, "proto = \"tcp\"", ""},
      {match_rest, "proto = [\"udp\", 6]", ""},
      {match_rest, "proto = \"tpc\"", "not a protocol"},
      {match_rest, "proto = 256", "not a protocol"},
      {match_rest, "proto = true", "`proto` must be a protocol"},
      {match_rest, "dport = 8080", ""},
      {match_rest, "dport = [8080, \"9000-9100\"]", ""},
      {match_rest, "dport = 65536", "not a port"},
      {match_rest, "dport = -1", "not a port"},
      {match_rest, "dport = [80, []]", "`dport` must be a port"},
      {match_rest, "dport = []", "`dport` must have at least one value"},
      {match_rest, "sport = \"1024-65535\"", ""},
      {match_rest, "sport = \"65535-1024\"", "runs backward"},
      {match_rest, "saddr = [\"10.0.0.0/8\", \"2001:db8::/32\"]", ""},
      {match_rest, "saddr = \"10.0.0.1/8\"", "the network is 10.0.0.0/8"},
      {match_rest, "daddr = \"2001:db8::1\"", ""},
      {match_rest, "daddr = 10", "not a prefix"},
      {match_rest, "dprot = 80", "unknown key `dprot` in policy[0].match"},
  };
  for (const Case& row : kCases) {
    CAPTURE(row.text);
    const std::string got = first_message(row.file(row.text));
    CHECK((row.want.empty() ? got.empty() : got.find(row.want) != std::string::npos));
  }
}

TEST_CASE("names that sections share") {
  const std::string longest(63, 'a');
  const std::string servers = "servers = [{ name = \"a\", address = \"::1\" }]\n";
  CHECK(first_message("[group." + longest + "]\n" + servers) == "");
  CHECK(first_message("[group." + longest + "a]\n" + servers).find("not a name") !=
        std::string::npos);
  CHECK(first_message("[table.Main]\n").find("not a name") != std::string::npos);
  CHECK(first_message("group = 1\n") == "`group` must be a table of tables");
  CHECK(first_message("engine = 1\n") == "`engine` must be a table");
  CHECK(first_message("[policy]\nname = \"p\"\n") == "`policy` must be a list of tables");
  CHECK(first_message("[grop.web]\n") == "unknown key `grop`");
}

TEST_CASE("an empty file is a configuration: all defaults, a queue for each CPU") {
  for (const char* text : {"", "\n", "# nothing", "[engine]", "\xef\xbb\xbf"}) {
    CAPTURE(text);
    const Config config = accepted(text);
    const unsigned cpus = std::clamp(std::thread::hardware_concurrency(), 1u, 256u);
    CHECK(config.engine.queue_first == 0);
    CHECK(config.engine.queue_count == cpus);
    CHECK(config.engine.queue_length == 4096);
    CHECK(config.engine.copy_bytes == 256);
    CHECK(config.engine.hooks == std::vector{Hook::Prerouting});
    CHECK(config.engine.mark.mask == 0xfff00000);
    CHECK(config.engine.bypass);
    CHECK(config.engine.on_bad_packet == Action::Accept);
    CHECK(config.groups.empty());
    CHECK(config.tables.empty());
    CHECK(config.policies.empty());
  }
}

TEST_CASE("values arrive in the Config") {
  const Config config = accepted(R"(
[[policy]]
name = "api"
priority = 200
match = { proto = "tcp", dport = [8080, "9000-9100"], daddr = "10.9.9.0/24" }
group = "web"
[[policy]]
name = "rest"
table = "main"
[[policy]]
name = "none"
action = "reject"

[table.main]
priority = -5
routes = [{ prefix = "10.9.9.9/32", group = "web", metric = 100 }, { prefix = "::/0", group = "web" }]
[table.alpha]

[group.web]
algorithm = "weighted"
snat = true
servers = [
  { name = "b", address = "10.2.0.1", port = 8080, weight = 100 },
  { name = "a", address = "2001:db8::1" },
]
[group.app]
servers = [{ name = "x", address = "10.2.0.9" }]

[engine]
queues = "4-7"
hooks = ["output", "prerouting"]
mark_mask = 0xff00
queue_length = 100
copy_bytes = 128
on_engine_down = "drop"
on_bad_packet = "drop"
)");
  CHECK(config.engine.queue_first == 4);
  CHECK(config.engine.queue_count == 4);
  CHECK(config.engine.hooks == std::vector{Hook::Output, Hook::Prerouting});
  CHECK(config.engine.mark.mask == 0xff00);
  CHECK(config.engine.queue_length == 100);
  CHECK(config.engine.copy_bytes == 128);
  CHECK(!config.engine.bypass);
  CHECK(config.engine.on_bad_packet == Action::Drop);

  REQUIRE(config.groups.size() == 2);
  const GroupConfig& web = config.groups[0];  // the order of the file, not of the names
  CHECK(web.name == "web");
  CHECK(web.algorithm == "weighted");
  CHECK(web.snat);
  REQUIRE(web.servers.size() == 2);
  CHECK(web.servers[0].name == "b");
  CHECK(web.servers[0].address == Address::v4(0x0a020001));
  CHECK(web.servers[0].port == 8080);
  CHECK(web.servers[0].weight == 100);
  CHECK(web.servers[1].address == Address::v6(0x20010db800000000, 1));
  CHECK(!web.servers[1].port);
  CHECK(web.servers[1].weight == 1);
  CHECK(config.groups[1].name == "app");
  CHECK(config.groups[1].algorithm == "round-robin");
  CHECK(!config.groups[1].snat);

  REQUIRE(config.tables.size() == 2);
  CHECK(config.tables[0].name == "main");
  CHECK(config.tables[0].priority == -5);
  REQUIRE(config.tables[0].routes.size() == 2);
  CHECK(config.tables[0].routes[0].prefix == Prefix{Address::v4(0x0a090909), 32});
  CHECK(config.tables[0].routes[0].group == "web");
  CHECK(config.tables[0].routes[0].metric == 100);
  CHECK(config.tables[0].routes[1].metric == 0);
  CHECK(config.tables[1].name == "alpha");
  CHECK(config.tables[1].priority == 0);

  REQUIRE(config.policies.size() == 3);
  const PolicyConfig& api = config.policies[0];
  CHECK(api.name == "api");
  CHECK(api.priority == 200);
  CHECK(std::get<ToGroup>(api.target).name == "web");
  REQUIRE(api.match.size() == 3);
  for (const Criterion& criterion : api.match) {
    const std::string_view key = criterion.field->name;
    CAPTURE(key);
    if (key == "proto") CHECK(criterion.intervals == std::vector<Interval>{{6, 6}});
    if (key == "dport")
      CHECK(criterion.intervals == std::vector<Interval>{{8080, 8080}, {9000, 9100}});
    if (key == "daddr")
      CHECK(criterion.prefixes == std::vector{Prefix{Address::v4(0x0a090900), 24}});
  }
  CHECK(config.policies[1].priority == 0);
  CHECK(std::get<ToTable>(config.policies[1].target).name == "main");
  CHECK(std::get<Action>(config.policies[2].target) == Action::Reject);
}
