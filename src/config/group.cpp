// [group.NAME]
#include <utility>

#include "duration.hpp"
#include "nfsteer/base/text.hpp"
#include "reader.hpp"
#include "sections.hpp"

namespace nfsteer {
namespace {

constexpr std::string_view kStates[] = {"up", "drain", "maintenance"};  // as ServerState
constexpr std::string_view kParts[] = {"saddr", "sport", "daddr", "dport", "proto"};
constexpr std::string_view kAffinityKeys[] = {"saddr"};
constexpr std::string_view kFailoverWords[] = {"none", "immediate", "delayed", "probe"};
constexpr std::string_view kKeepOrCut[] = {"keep", "cut"};
constexpr SecondsRange kSlowStart{std::chrono::seconds(1), std::chrono::hours(24)};
constexpr SecondsRange kDrainTimeout{std::chrono::seconds(1), std::chrono::hours(24 * 365)};
constexpr SecondsRange kAffinityTimeout{std::chrono::seconds(1), std::chrono::hours(24 * 365)};

std::optional<std::uint32_t> read_weight(const Node& node, Report& report) {
  if (node.kind == Node::Kind::Integer && node.integer == 0) {
    report.value_mistake(node, "a weight of 0 is not a weight",
                         "for a server that takes no new flows: state = \"drain\"");
    return std::nullopt;
  }
  const auto weight = read_integer(node, {kWeightMin, kWeightMax}, report);
  return weight ? std::optional(static_cast<std::uint32_t>(*weight)) : std::nullopt;
}

std::optional<ServerConfig> read_server(const Node& node, const std::string& where,
                                        Report& report) {
  TableReader in(node, where, report);
  in.require({"name"});
  in.require({"address"});
  const auto name = in.text("name");
  const auto address = in.parsed("address", parse_address);
  ServerConfig server;
  server.port = in.number<std::uint16_t>("port", {1, 65535});
  if (const Node* weight = in.find("weight"))
    server.weight = read_weight(*weight, report).value_or(server.weight);
  server.max_connections = in.number<std::uint32_t>("max_connections", {1, kMaxConnectionsMax})
                               .value_or(server.max_connections);
  server.priority =
      in.number<std::int32_t>("priority", {0, kServerPriorityMax}).value_or(server.priority);
  server.backup = in.flag("backup").value_or(server.backup);
  if (const auto state = in.word("state", kStates)) server.state = static_cast<ServerState>(*state);
  in.finish();
  if (!name || !address) return std::nullopt;
  server.name = *name;
  server.address = *address;
  return server;
}

std::optional<std::uint32_t> read_seconds_number(const Node* node, SecondsRange range,
                                                 Report& report) {
  const auto seconds = node ? read_seconds(*node, range, report) : std::nullopt;
  return seconds ? std::optional(static_cast<std::uint32_t>(seconds->count())) : std::nullopt;
}

TupleParts read_parts(const Node& node, Report& report) {
  TupleParts parts;
  bool* const members[] = {&parts.source, &parts.source_port, &parts.destination,
                           &parts.destination_port, &parts.protocol};
  for (const Node& each : one_or_many(node, report))
    if (const auto part = read_word(each, kParts, report)) *members[*part] = true;
  return parts;
}

AffinityConfig read_affinity(const Node& node, const std::string& where, Report& report) {
  TableReader in(node, where, report);
  AffinityConfig affinity;
  in.require({"key"});
  in.word("key", kAffinityKeys);
  affinity.v4_bits = in.number<std::uint8_t>("v4", {0, 32}).value_or(affinity.v4_bits);
  affinity.v6_bits = in.number<std::uint8_t>("v6", {0, 128}).value_or(affinity.v6_bits);
  affinity.timeout_s = read_seconds_number(in.find("timeout"), kAffinityTimeout, report)
                           .value_or(affinity.timeout_s);
  affinity.max =
      in.number<std::uint32_t>("max", {kAffinityMin, kAffinityMax}).value_or(affinity.max);
  in.finish();
  return affinity;
}

// With a check a group fails over by it, if it does not say otherwise.
FailoverConfig read_failover(TableReader& in, bool has_check, Report& report) {
  FailoverConfig config;
  if (has_check) config.failover = Failover::Probe;
  if (const auto word = in.word("failover", kFailoverWords))
    config.failover = static_cast<Failover>(*word);
  config.min_up = in.number<std::uint32_t>("min_up", {1, 10'000}).value_or(config.min_up);
  config.fail_back = in.flag("fail_back").value_or(config.fail_back);
  config.panic_percent = in.number<std::uint32_t>("panic", {0, 100}).value_or(config.panic_percent);
  config.cut = in.word("on_down", kKeepOrCut) == 1;
  if (const Node* failures = in.find("failures")) {
    config.failures =
        in.number<std::uint32_t>("failures", {1, kFailuresMax}).value_or(config.failures);
    if (config.failover != Failover::Delayed)
      report.value_mistake(*failures, "`failures` is for failover = \"delayed\"");
  }
  if (const Node* lazy = in.find("lazy")) {
    config.lazy = in.flag("lazy").value_or(config.lazy);
    if (config.failover != Failover::Probe)
      report.value_mistake(*lazy, "`lazy` is for failover = \"probe\"");
  }
  return config;
}

DrainConfig read_drain(TableReader& in, Report& report) {
  DrainConfig config;
  config.timeout_s = read_seconds_number(in.find("drain_timeout"), kDrainTimeout, report)
                         .value_or(config.timeout_s);
  config.cut = in.word("on_drain_timeout", kKeepOrCut) == 1;
  return config;
}

GroupConfig read_group(const Node& node, Report& report) {
  const std::string where = format("group.{}", printable(node.key));
  TableReader in(node, where, report);
  GroupConfig group;
  group.name = node.key;
  group.algorithm = in.text("algorithm").value_or(group.algorithm);
  group.snat = in.flag("snat").value_or(group.snat);
  if (const Node* hash = in.find("hash")) group.hash = read_parts(*hash, report);
  group.hash_factor = in.number<std::uint32_t>("hash_factor", {kHashFactorMin, kHashFactorMax})
                          .value_or(group.hash_factor);
  group.slow_start_s =
      read_seconds_number(in.find("slow_start"), kSlowStart, report).value_or(group.slow_start_s);
  if (const Node* affinity = in.find("affinity"))
    group.affinity = read_affinity(*affinity, where + ".affinity", report);
  group.check = in.text("check");
  group.failover = read_failover(in, group.check.has_value(), report);
  group.drain = read_drain(in, report);
  if (const Node* servers = in.find("servers"))
    group.servers = read_list<ServerConfig>(*servers, where + ".servers", report, read_server);
  in.finish();
  return group;
}

}  // namespace

std::vector<GroupConfig> read_groups(const Node& node, Report& report) {
  std::vector<GroupConfig> result;
  for (const Node* group : read_members(node, report)) result.push_back(read_group(*group, report));
  return result;
}

}  // namespace nfsteer
