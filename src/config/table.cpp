// [table.NAME]
#include <utility>

#include "nfsteer/base/text.hpp"
#include "reader.hpp"
#include "sections.hpp"

namespace nfsteer {
namespace {

std::optional<RouteConfig> read_route(const Node& node, const std::string& where, Report& report) {
  TableReader in(node, where, report);
  in.require({"prefix"});
  in.require({"group"});
  const auto prefix = in.parsed("prefix", parse_prefix);
  const auto group = in.text("group");
  RouteConfig route;
  route.metric = in.number<std::uint32_t>("metric", kAll<std::uint32_t>).value_or(route.metric);
  in.finish();
  if (!prefix || !group) return std::nullopt;
  route.prefix = *prefix;
  route.group = *group;
  return route;
}

TableConfig read_table(const Node& node, Report& report) {
  const std::string where = format("table.{}", printable(node.key));
  TableReader in(node, where, report);
  TableConfig table;
  table.name = node.key;
  table.priority = in.number<std::int32_t>("priority", kPriorities).value_or(table.priority);
  if (const Node* routes = in.find("routes"))
    table.routes = read_list<RouteConfig>(*routes, where + ".routes", report, read_route);
  in.finish();
  return table;
}

}  // namespace

std::vector<TableConfig> read_tables(const Node& node, Report& report) {
  std::vector<TableConfig> result;
  for (const Node* table : read_members(node, report)) result.push_back(read_table(*table, report));
  return result;
}

}  // namespace nfsteer
