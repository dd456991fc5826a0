// Every key of a rules file: values that are accepted, beside values that are
// refused.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "nfsteer/config.hpp"
#include "rules_text.hpp"

using namespace nfsteer;
using testing::Case;
using testing::check_all;
using testing::first_message;

namespace {

// A file with one line of a section, and what else the section needs.
std::string engine_line(std::string_view line) {
  return "[engine]\n" + std::string(line) + "\n";
}
std::string metrics_line(std::string_view line) {
  return "[metrics]\n" + std::string(line) + "\n";
}
std::string cache_line(std::string_view line) {
  return "[cache]\n" + std::string(line) + "\n";
}
std::string check_lines(std::string_view lines) {
  return "[check.web]\n" + std::string(lines) + "\n";
}
std::string http_line(std::string_view line) {
  return check_lines("kind = \"http\"\n" + std::string(line));
}
std::string udp_line(std::string_view line) {
  const bool has_send = line.starts_with("send");
  return check_lines("kind = \"udp\"\n" + std::string(has_send ? "" : "send = \"x\"\n") +
                     std::string(line));
}
std::string exec_line(std::string_view line) {
  const bool has_command = line.starts_with("command");
  return check_lines("kind = \"exec\"\n" +
                     std::string(has_command ? "" : "command = \"/bin/true\"\n") +
                     std::string(line));
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
std::string match(std::string_view value) {
  return policy_lines("name = \"p\"\naction = \"drop\"\nmatch = " + std::string(value));
}
std::string match_rest(std::string_view rest) {
  return match("{ " + std::string(rest) + " }");
}

constexpr std::string_view kServer = "name = \"a\", address = \"10.2.0.1\"";

}  // namespace

TEST_CASE("keys of [metrics]") {
  constexpr Case kCases[] = {
      {metrics_line, "listen = \"127.0.0.1:9477\"", ""},
      {metrics_line, "listen = \"[::1]:9477\"", ""},
      {metrics_line, "listen = \"0.0.0.0:0\"", ""},
      {metrics_line, "", "metrics needs `listen`"},
      {metrics_line, "listen = \"\"", "is not an address with a port"},
      {metrics_line, "listen = \"127.0.0.1\"", "is not an address with a port"},
      {metrics_line, "listen = \"::1:9477\"", "is not an address with a port"},
      {metrics_line, "listen = \"127.0.0.1:65536\"", "is not an address with a port"},
      {metrics_line, "listen = 9477", "`listen` must be text"},
      {metrics_line, "listen = \"127.0.0.1:1\"\nport = 9477", "unknown key `port`"},
  };
  check_all(kCases);
}

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
      {engine_line, "manage = \"table\"", ""},
      {engine_line, "manage = \"elements\"", ""},
      {engine_line, "manage = \"element\"", "must be \"table\" or \"elements\""},
      {engine_line, "manage = true", "must be \"table\" or \"elements\""},
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
      {engine_line, "hash_seed = 0", ""},
      {engine_line, "hash_seed = 9223372036854775807", ""},
      {engine_line, "hash_seed = -1", "whole number from 0"},
      {engine_line, "on_no_route = \"accept\"", ""},
      {engine_line, "on_no_route = \"drop\"", ""},
      {engine_line, "on_no_route = \"reject\"", ""},
      {engine_line, "on_no_route = \"web\"", "group `web` does not exist"},
      {engine_line, "on_no_route = \"steer\"", "group `steer` does not exist"},
      {engine_line, "on_no_route = [\"drop\"]", "or the name of a group"},
      {engine_line, "workers = 2", "unknown key `workers` in engine"},
  };
  check_all(kCases);
}

TEST_CASE("keys of [check.NAME]") {
  constexpr std::string_view kUnit = "must be a number with its unit, in quotes";
  constexpr Case kCases[] = {
      {check_lines, "", ""},
      {check_lines, "kind = \"tcp\"", ""},
      {check_lines, "kind = \"https\"", ""},
      {check_lines, "kind = \"icmp\"", ""},
      {check_lines, "kind = \"ping\"", "unknown kind of check `ping`"},
      {check_lines, "kind = 4", "`kind` must be text"},
      {check_lines, "interval = \"50ms\"", ""},
      {check_lines, "interval = \"1h\"", ""},
      {check_lines, "interval = \"49ms\"", "`interval` is 50ms to 1h"},
      {check_lines, "interval = \"61m\"", "`interval` is 50ms to 1h"},
      {check_lines, "interval = 2", kUnit},
      {check_lines, "interval = \"2\"", kUnit},
      {check_lines, "interval = \"2.5s\"", kUnit},
      {check_lines, "interval_down = \"50ms\"", ""},
      {check_lines, "interval_down = \"1d\"", "`interval_down` is 50ms to 1h"},
      {check_lines, "interval_down = false", kUnit},
      {check_lines, "timeout = \"10ms\"", ""},
      {check_lines, "timeout = \"2s\"", ""},
      {check_lines, "timeout = \"9ms\"", "`timeout` is 10ms to 1h"},
      {check_lines, "timeout = \"2001ms\"",
       "the time-out of 2001ms is longer than the interval of 2s"},
      {check_lines, "interval = \"50ms\"\ntimeout = \"51ms\"", "is longer than the interval"},
      {check_lines, "rise = 1\nfall = 100", ""},
      {check_lines, "rise = 0", "`rise` must be a whole number from 1 to 100"},
      {check_lines, "fall = 101", "`fall` must be a whole number from 1 to 100"},
      {check_lines, "jitter = 0", ""},
      {check_lines, "jitter = 50", ""},
      {check_lines, "jitter = 51", "`jitter` must be a whole number from 0 to 50"},
      {check_lines, "start = \"up\"", ""},
      {check_lines, "start = \"down\"", ""},
      {check_lines, "start = \"last\"", ""},
      {check_lines, "start = \"Last\"", "`start` must be \"up\" or \"down\" or \"last\""},
      {check_lines, "port = 65535", ""},
      {check_lines, "port = 65536", "`port` must be a whole number from 1 to 65535"},
      {check_lines, "kind = \"icmp\"\nport = 1", "a check of the kind `icmp` has no port"},
      {check_lines, "path = \"/\"", "unknown key `path` in check.web"},
      {http_line, "path = \"/a?b=%20\"", ""},
      {http_line, "path = \"a\"", "`a` is not a path"},
      {http_line, "path = \"/a b\"", "is not a path"},
      {http_line, "path = \"/a\\r\\nX: y\"", "is not a path"},
      {http_line, "path = \"/\u00e4\"", "is not a path"},
      {http_line, "path = [\"/\"]", "`path` must be text"},
      {http_line, "host = \"www.example.net\"", ""},
      {http_line, "host = \"192.0.2.1\"", ""},
      {http_line, "host = \"\"", "is not the name of a host"},
      {http_line, "host = \"a:80\"", "is not the name of a host"},
      {http_line, "host = \"a\\r\\nX: y\"", "is not the name of a host"},
      {http_line, "status = 204", ""},
      {http_line, "status = \"200-299\"", ""},
      {http_line, "status = [\"100-599\", 304]", ""},
      {http_line, "status = []", "`status` must have at least one value"},
      {http_line, "status = 99", "`99` is no status code"},
      {http_line, "status = 600", "`600` is no status code"},
      {http_line, "status = \"299-200\"", "is no status code"},
      {http_line, "status = [200, \"ok\"]", "`ok` is no status code"},
      {http_line, "status = [200, false]", "`status` must be status codes such as"},
      {http_line, "body = \"well\"", ""},
      {http_line, "body = \"\"", "has 1 to 1000 bytes"},
      {http_line, "verify = true", "unknown key `verify`"},
      {check_lines, "kind = \"https\"\nverify = false", ""},
      {check_lines, "kind = \"https\"\nverify = 1", "`verify` must be true or false"},
      {check_lines, "kind = \"udp\"", "check.web needs `send`"},
      {udp_line, "send = \"\\\\x00\\\\n\\\\\\\\\"", ""},
      {udp_line, "send = \"\"", "a datagram of a check has 1 to 1024 bytes, not 0"},
      {udp_line, "send = \"\\\\q\"", "`\\q` is no escape"},
      {udp_line, "send = \"\\\\\"", "`\\` is no escape"},
      {udp_line, "send = \"\\\\x1\"", "`\\x1` is no escape"},
      {udp_line, "reply = \"\\\\xfF\"", ""},
      {udp_line, "reply = \"\\\\xfg\"", "`\\xfg` is no escape"},
      {check_lines, "kind = \"exec\"", "check.web needs `command`"},
      {exec_line, "command = [\"/bin/true\", \"{address}\", \"\"]", ""},
      {exec_line, "command = []", "`command` must have at least one value"},
      {exec_line, "command = \"true\"", "`true` is not the whole path of a program"},
      {exec_line, "command = [\"/bin/true\", \"a\\u0000b\"]", "has no zero bytes"},
      {exec_line, "command = \"/no/such\"", "there is no program `/no/such`"},
      {exec_line, "command = \"/etc/passwd\"", "`/etc/passwd` is not an executable file"},
      {exec_line, "command = \"/etc\"", "`/etc` is not an executable file"},
      {exec_line, "user = \"nobody\"", ""},
      {exec_line, "user = \"root\"", "is not run as root"},
      {exec_line, "user = \"\"", "there is no user ``"},
      {exec_line, "user = \"no such\"", "there is no user `no such`"},
  };
  check_all(kCases);
  const Config config = testing::accepted("[check.a]\ninterval = \"200ms\"\n[check.b]\n");
  CHECK(config.checks[0].timeout == std::chrono::milliseconds(200));  // no longer than the interval
  CHECK(config.checks[1].timeout == std::chrono::seconds(1));
}

TEST_CASE("keys of [cache]") {
  constexpr std::string_view kUnit = "`timeout` must be a number with its unit, in quotes";
  constexpr std::string_view kRange = "`timeout` must be 1s to 1d, in whole seconds";
  constexpr std::string_view kRoutes = "`route_entries` must be \"auto\" or a whole number";
  constexpr Case kCases[] = {
      {cache_line, "", ""},
      {cache_line, "entries = 0", ""},
      {cache_line, "entries = 16_777_216", ""},
      {cache_line, "entries = 16_777_217", "`entries` must be a whole number from 0 to 16777216"},
      {cache_line, "entries = -1", "`entries` must be a whole number"},
      {cache_line, "entries = \"auto\"", "`entries` must be a whole number"},
      {cache_line, "route_entries = \"auto\"", ""},
      {cache_line, "route_entries = 0", ""},
      {cache_line, "route_entries = 16_777_216", ""},
      {cache_line, "route_entries = 16_777_217", kRoutes},
      {cache_line, "route_entries = \"4096\"", kRoutes},
      {cache_line, "route_entries = true", kRoutes},
      {cache_line, "timeout = \"1s\"", ""},
      {cache_line, "timeout = \"5000ms\"", ""},
      {cache_line, "timeout = \"5m\"", ""},
      {cache_line, "timeout = \"24h\"", ""},
      {cache_line, "timeout = \"1d\"", ""},
      {cache_line, "timeout = \"0s\"", kRange},
      {cache_line, "timeout = \"999ms\"", kRange},
      {cache_line, "timeout = \"1500ms\"", kRange},
      {cache_line, "timeout = \"25h\"", kRange},
      {cache_line, "timeout = \"999999999d\"", kRange},
      {cache_line, "timeout = \"99999999999999999999s\"", kUnit},
      {cache_line, "timeout = \"4296767644483851d\"", kUnit},  // 128 s, in 64 bits of milliseconds
      {cache_line, "timeout = \"300\"", kUnit},
      {cache_line, "timeout = 300", kUnit},
      {cache_line, "timeout = 1.5", kUnit},
      {cache_line, "timeout = \"\"", kUnit},
      {cache_line, "timeout = \"s\"", kUnit},
      {cache_line, "timeout = \"-1s\"", kUnit},
      {cache_line, "timeout = \"0x10s\"", kUnit},
      {cache_line, "timeout = \"5 m\"", kUnit},
      {cache_line, "timeout = \"1h30m\"", kUnit},
      {cache_line, "timeout = \"5min\"", kUnit},
      {cache_line, "timeuot = \"5m\"", "unknown key `timeuot` in cache"},
  };
  check_all(kCases);
}

TEST_CASE("a duration without its unit: the message shows the text that was meant") {
  const auto remedy = [](const std::string& value) {
    const LoadResult result = parse_config("[cache]\ntimeout = " + value, "test.toml");
    return std::get<std::vector<Diagnostic>>(result).front().remedy;
  };
  CHECK(remedy("300") == "did you mean \"300s\"?");
  CHECK(remedy("\"300\"") == "did you mean \"300s\"?");
  CHECK(remedy("\"soon\"") == "write \"30s\" or \"5m\"");
}

TEST_CASE("keys of groups and servers") {
  constexpr Case kCases[] = {
      {group_line, "", ""},
      {group_line, "algorithm = \"weighted\"", ""},
      {group_line, "algorithm = \"round-robin\"", ""},
      {group_line, "algorithm = \"wieghted\"", "unknown algorithm `wieghted`"},
      {group_line, "algorithm = 1", "`algorithm` must be text"},
      {group_line, "algorithm = \"maglev\"\nhash = \"saddr\"", ""},
      {group_line, "algorithm = \"hash\"\nhash = [\"saddr\", \"sport\", \"daddr\"]", ""},
      {group_line, "algorithm = \"rendezvous\"\nhash = [\"dport\", \"proto\"]", ""},
      {group_line, "hash = \"saddr\"", "the algorithm `round-robin` hashes nothing"},
      {group_line, "algorithm = \"hash\"\nhash = \"source\"", "`hash` must be \"saddr\""},
      {group_line, "algorithm = \"hash\"\nhash = []", "`hash` must have at least one value"},
      {group_line, "algorithm = \"bounded-hash\"\nhash_factor = 101", ""},
      {group_line, "hash_factor = 100", "whole number from 101 to 10000"},
      {group_line, "hash_factor = 1.25", "whole number from 101 to 10000"},
      {group_line, "slow_start = \"30s\"", ""},
      {group_line, "slow_start = \"0s\"", "slow_start"},
      {group_line, "slow_start = 30", "slow_start"},
      {group_line, "failover = \"none\"", ""},
      {group_line, "failover = \"immediate\"", ""},
      {group_line, "failover = \"delayed\"\nfailures = 5", ""},
      {group_line, "failover = \"late\"", "failover"},
      {group_line, "failover = \"probe\"", "to fail over by probes needs a check"},
      {group_line, "failover = true", "failover"},
      {group_line, "failures = 3", "`failures` is for failover = \"delayed\""},
      {group_line, "failover = \"immediate\"\nfailures = 3", "`failures` is for"},
      {group_line, "failover = \"delayed\"\nfailures = 0", "failures"},
      {group_line, "failover = \"delayed\"\nfailures = 101", "failures"},
      {group_line, "failover = \"delayed\"\nlazy = true", "`lazy` is for failover = \"probe\""},
      {group_line, "min_up = 2", ""},
      {group_line, "min_up = 0", "min_up"},
      {group_line, "fail_back = false", ""},
      {group_line, "fail_back = 1", "fail_back"},
      {group_line, "panic = 0", ""},
      {group_line, "panic = 100", ""},
      {group_line, "panic = 101", "panic"},
      {group_line, "panic = \"50%\"", "panic"},
      {group_line, "on_down = \"cut\"", ""},
      {group_line, "on_down = \"keep\"", ""},
      {group_line, "on_down = \"kill\"", "on_down"},
      {group_line, "drain_timeout = \"15m\"", ""},
      {group_line, "drain_timeout = \"0s\"", "drain_timeout"},
      {group_line, "drain_timeout = 15", "drain_timeout"},
      {group_line, "on_drain_timeout = \"cut\"", ""},
      {group_line, "on_drain_timeout = \"stop\"", "on_drain_timeout"},
      {group_line, "affinity = { key = \"saddr\" }", ""},
      {group_line, "affinity = { key = \"saddr\", v4 = 24, v6 = 56, timeout = \"2h\", max = 1000 }",
       ""},
      {group_line, "affinity = true", "`group.web.affinity` must be a table"},
      {group_line, "affinity = {}", "`key`"},
      {group_line, "affinity = { key = \"cookie\" }", "`key` must be \"saddr\""},
      {group_line, "affinity = { key = \"saddr\", v4 = 33 }", "whole number from 0 to 32"},
      {group_line, "affinity = { key = \"saddr\", v6 = 129 }", "whole number from 0 to 128"},
      {group_line, "affinity = { key = \"saddr\", timeout = \"0s\" }", "timeout"},
      {group_line, "affinity = { key = \"saddr\", max = 7 }", "whole number from 8 to 16777216"},
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
      {server_rest, "name = \"a\", address = \"::1\", weight = 0", "a weight of 0"},
      {server_rest, "name = \"a\", address = \"::1\", weight = -1", "number from 1 to 10000"},
      {server_rest, "name = \"a\", address = \"::1\", weight = 10001", "number from 1 to 10000"},
      {server_rest, "name = \"a\", address = \"::1\", max_connections = 1", ""},
      {server_rest, "name = \"a\", address = \"::1\", max_connections = 0", "from 1 to 100000000"},
      {server_rest, "name = \"a\", address = \"::1\", backup = true", ""},
      {server_rest, "name = \"a\", address = \"::1\", backup = 1", "must be true or false"},
      {server_rest, "name = \"a\", address = \"::1\", priority = 1000", ""},
      {server_rest, "name = \"a\", address = \"::1\", priority = -1", "from 0 to 1000"},
      {server_rest, "name = \"a\", address = \"::1\", state = \"up\"", ""},
      {server_rest, "name = \"a\", address = \"::1\", state = \"drain\"", ""},
      {server_rest, "name = \"a\", address = \"::1\", state = \"maintenance\"", ""},
      {server_rest, "name = \"a\", address = \"::1\", state = \"down\"",
       "must be \"up\" or \"drain\""},
      {server_rest, "name = \"a\", adress = \"::1\"", "unknown key `adress`"},  // and not missing
  };
  check_all(kCases);
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
      {route_rest, "prefix = \"10.0.0.0/8\"", "needs one of `group`, `action`"},
      {route_rest, "prefix = \"10.0.0.0/8\", group = \"wbe\"", "group `wbe` does not exist"},
      {route_rest, "prefix = \"2001:db8::/32\", group = \"web\"", "has no IPv6 server"},
      {route_rest, "prefix = \"10.0.0.0/8\", group = [\"web\"]", "`group` must be text"},
      {route_rest, "prefix = \"10.0.0.0/8\", group = \"web\", metric = 0", ""},
      {route_rest, "prefix = \"10.0.0.0/8\", group = \"web\", metric = 4294967295", ""},
      {route_rest, "prefix = \"10.0.0.0/8\", group = \"web\", metric = 4294967296", "`metric`"},
      {route_rest, "prefix = \"10.0.0.0/8\", group = \"web\", metric = -1", "`metric`"},
      {route_rest, "prefix = \"10.0.0.0/8\", group = \"web\", wight = 1", "unknown key `wight`"},
      {route_rest, "prefix = \"10.0.0.0/8\", group = \"web\", weight = 1", ""},
      {route_rest, "prefix = \"10.0.0.0/8\", group = \"web\", weight = 10000", ""},
      {route_rest, "prefix = \"10.0.0.0/8\", group = \"web\", weight = 0", "from 1 to 10000"},
      {route_rest, "prefix = \"10.0.0.0/8\", group = \"web\", weight = 10001", "from 1 to 10000"},
      {route_rest, "prefix = \"10.0.0.0/8\", action = \"accept\"", ""},
      {route_rest, "prefix = \"::/0\", action = \"drop\"", ""},
      {route_rest, "prefix = \"::/0\", action = \"reject\"", ""},
      {route_rest, "prefix = \"::/0\", action = \"web\"", "`action` must be \"accept\" or"},
      {route_rest, "prefix = \"0.0.0.0/0\", action = \"drop\", group = \"web\"",
       "a route has one target: `group` or `action`"},
      {route_rest, "prefix = \"0.0.0.0/0\", group = \"web\", table = \"main\"",
       "unknown key `table`"},
      {table_line, "default_group = \"web\"", ""},
      {table_line, "default_group = \"wbe\"", "group `wbe` does not exist"},
      {table_line, "default_group = \"drop\"", "group `drop` does not exist"},
      {table_line, "default_group = 1", "`default_group` must be text"},
      {table_line, "files = []", "`files` must have at least one value"},
      {table_line, "files = 1", "`files` must be text"},
      {table_line, "files = \"\"", "`files` must be the name of a file"},
      {table_line, "files = \"a\\u0000b\"", "`files` must be the name of a file"},
  };
  check_all(kCases);
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
      {policy_lines, "name = \"p\"\naction = \"drop\"\nenabled = false", ""},
      {policy_lines, "name = \"p\"\naction = \"drop\"\nenabled = 0", "`enabled` must be true or"},
      {policy_lines, "name = \"p\"\naction = \"drop\"\ndry_run = true", ""},
      {policy_lines, "name = \"p\"\naction = \"drop\"\ndry_run = \"no\"", "`dry_run` must be true"},
  };
  check_all(kCases);
}

TEST_CASE("match: a table, or a list of tables") {
  constexpr Case kCases[] = {
      {match, "{}", ""},
      {match, "[{}]", ""},
      {match, "[{ proto = \"tcp\" }, { proto = \"udp\", dport = 53 }]", ""},
      {match, "[]", "`match` must have at least one table"},
      {match, "\"tcp\"", "`policy[0].match` must be a table"},
      {match, "[{}, \"tcp\"]", "`policy[0].match[1]` must be a table"},
      {match, "[{}, { dprot = 80 }]", "unknown key `dprot` in policy[0].match[1]"},
  };
  check_all(kCases);
}

TEST_CASE("criteria") {
  constexpr Case kCases[] = {
      {match_rest, "", ""},
      {match_rest, "proto = \"tcp\"", ""},
      {match_rest, "proto = [\"udp\", 6]", ""},
      {match_rest, "proto = \"!tcp\"", ""},
      {match_rest, "proto = \"tpc\"", "not a protocol"},
      {match_rest, "proto = 256", "not a protocol"},
      {match_rest, "proto = true", "`proto` must be a protocol"},
      {match_rest, "proto = 2026-12-25", "`proto` must be a protocol"},
      {match_rest, "dport = 8080", ""},
      {match_rest, "dport = [8080, \"9000-9100\"]", ""},
      {match_rest, "dport = [\"1-1023\", \"!22\"]", ""},
      {match_rest, "dport = 65536", "not a port"},
      {match_rest, "dport = -1", "not a port"},
      {match_rest, "dport = 80.5", "`dport` must be a port"},
      {match_rest, "dport = \"!\"", "not a port"},
      {match_rest, "dport = [80, []]", "`dport` must be a port"},
      {match_rest, "dport = []", "`dport` must have at least one value"},
      {match_rest, "sport = \"1024-65535\"", ""},
      {match_rest, "sport = \"65535-1024\"", "runs backward"},
      {match_rest, "saddr = [\"10.0.0.0/8\", \"2001:db8::/32\"]", ""},
      {match_rest, "saddr = \"::ffff:10.0.0.0/104\"", ""},
      {match_rest, "saddr = \"10.0.0.1/8\"", "the network is 10.0.0.0/8"},
      {match_rest, "saddr = \"!10.0.0.1/8\"", "the network is 10.0.0.0/8"},
      {match_rest, "saddr = \"10.0.0.0/33\"", "prefix length"},
      {match_rest, "saddr = \"2001:db8::/129\"", "prefix length"},
      {match_rest, "saddr = \"@office\"", "set `office` does not exist"},
      {match_rest, "saddr = \"@\"", "not a prefix"},
      {match_rest, "daddr = \"2001:db8::1\"", ""},
      {match_rest, "daddr = 10", "not a prefix"},
      {match_rest, "icmp_type = [\"echo-request\", 3]", ""},
      {match_rest, "icmp_type = 256", "not a type of ICMP"},
      {match_rest, "mark = 16", ""},
      {match_rest, "mark = 0xffffffff", ""},
      {match_rest, "mark = \"0x10/0xf0\"", ""},
      {match_rest, "mark = 0x100000000", "not a mark of 32 bits"},
      {match_rest, "mark = \"0x10/0x0f\"", "bits outside its mask"},
      {match_rest, "iif = [\"eth0\", \"tun*\"]", ""},
      {match_rest, "iif = \"abcdefghijklmno\"", ""},
      {match_rest, "iif = \"abcdefghijklmnop\"", "longer than an interface's name can be"},
      {match_rest, "iif = \"\"", "not the name of an interface"},
      {match_rest, "oif = 1", ""},  // a name of digits
      {match_rest, "oif = \"a b\"", "not the name of an interface"},
      {match_rest, "uid = [\"root\", 1000, \"2000-2999\"]", ""},
      {match_rest, "uid = \"no such user\"", "there is no user `no such user`"},
      {match_rest, "uid = \"2999-2000\"", "no user"},
      {match_rest, "gid = \"root\"", ""},
      {match_rest, "gid = -1", "no group of users `-1`"},
      {match_rest, "scountry = \"DE\"", "there is no country database"},
      {match_rest, "dcountry = \"de_\"", "there is no country database"},
      {match_rest, "dcountry = 49", "there is no country database"},
      {match_rest, "dcountry = \"D\"", "not a country"},
      {match_rest, "schedule = \"night\"", "schedule `night` does not exist"},
      {match_rest, "schedule = \"\"", "a schedule has a name"},
      {match_rest, "dprot = 80", "unknown key `dprot` in policy[0].match"},
  };
  check_all(kCases);
}

TEST_CASE("names that sections share") {
  const std::string longest(63, 'a');
  const std::string servers = "servers = [{ name = \"a\", address = \"::1\" }]\n";
  CHECK(first_message("[group." + longest + "]\n" + servers) == "");
  CHECK(first_message("[group." + longest + "a]\n" + servers).find("not a name") !=
        std::string::npos);
  CHECK(first_message("[set.Office]\nprefixes = \"::1\"\n").find("not a name") !=
        std::string::npos);
  CHECK(first_message("set = 1\n") == "`set` must be a table of tables");
  CHECK(first_message("[schedule]\nnight = 1\n") == "`schedule.night` must be a table");
  CHECK(first_message("check = 1\n") == "`check` must be a table of tables");
  CHECK(first_message("[check.Web]\n").find("not a name") != std::string::npos);
  CHECK(first_message("cache = \"off\"\n") == "`cache` must be a table");
  CHECK(first_message("[table.Main]\n").find("not a name") != std::string::npos);
  CHECK(first_message("group = 1\n") == "`group` must be a table of tables");
  CHECK(first_message("engine = 1\n") == "`engine` must be a table");
  CHECK(first_message("[policy]\nname = \"p\"\n") == "`policy` must be a list of tables");
  CHECK(first_message("[grop.web]\n") == "unknown key `grop`");
}
