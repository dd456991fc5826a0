// [group.NAME]
#include <utility>

#include "nfsteer/base/text.hpp"
#include "reader.hpp"
#include "sections.hpp"

namespace nfsteer {
namespace {

std::optional<ServerConfig> read_server(const Node& node, const std::string& where,
                                        Report& report) {
  TableReader in(node, where, report);
  in.require({"name"});
  in.require({"address"});
  const auto name = in.text("name");
  const auto address = in.parsed("address", parse_address);
  ServerConfig server;
  server.port = in.number<std::uint16_t>("port", {1, 65535});
  server.weight =
      in.number<std::uint32_t>("weight", {kWeightMin, kWeightMax}).value_or(server.weight);
  in.finish();
  if (!name || !address) return std::nullopt;
  server.name = *name;
  server.address = *address;
  return server;
}

GroupConfig read_group(const Node& node, Report& report) {
  const std::string where = format("group.{}", printable(node.key));
  TableReader in(node, where, report);
  GroupConfig group;
  group.name = node.key;
  group.algorithm = in.text("algorithm").value_or(group.algorithm);
  group.snat = in.flag("snat").value_or(group.snat);
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
