// [table.NAME]
#include <span>
#include <utility>

#include "nfsteer/base/text.hpp"
#include "reader.hpp"
#include "sections.hpp"
#include "target.hpp"
#include "text_file.hpp"

namespace nfsteer {
namespace {

constexpr NumberRange kMetrics = kAll<std::uint32_t>;
constexpr NumberRange kWeights{kWeightMin, kWeightMax};

std::optional<RouteTarget> read_target(TableReader& in, Report& report) {
  const Node* const target = in.find_target("route", {"group", "action"});
  if (!target) return std::nullopt;
  if (target->key == "action") return read_action(*target, report);
  auto name = read_text(*target, report);
  if (!name) return std::nullopt;
  return ToGroup{std::move(*name)};
}

std::optional<RouteConfig> read_route(const Node& node, const std::string& where, Report& report) {
  TableReader in(node, where, report);
  in.require({"prefix"});
  const auto prefix = in.parsed("prefix", parse_prefix);
  auto target = read_target(in, report);
  RouteConfig route;
  route.metric = in.number<std::uint32_t>("metric", kMetrics).value_or(route.metric);
  route.weight = in.number<std::uint32_t>("weight", kWeights).value_or(route.weight);
  in.finish();
  if (!prefix || !target) return std::nullopt;
  route.prefix = *prefix;
  route.target = std::move(*target);
  return route;
}

// ---- files: PREFIX GROUP [METRIC [WEIGHT]], or @ACTION for the group ----------

tl::unexpected<LineMistake> wrong(std::string_view part, std::string message,
                                  std::string remedy = {}) {
  return tl::unexpected(LineMistake{part, std::move(message), std::move(remedy)});
}

LineResult<RouteTarget> parse_target(std::string_view word) {
  if (!word.starts_with('@')) return ToGroup{std::string(word)};
  if (const auto action = find_action(word.substr(1))) return *action;
  return wrong(word, format("`{}` is not an action", printable(word)),
               format("the actions are: @{}", join(kActionWords, ", @")));
}

LineResult<std::uint32_t> parse_column(std::string_view word, std::string_view name,
                                       NumberRange range) {
  const auto number = parse_number(word);
  if (number && *number >= static_cast<std::uint64_t>(range.first) &&
      *number <= static_cast<std::uint64_t>(range.last))
    return static_cast<std::uint32_t>(*number);
  return wrong(
      word, format("the {} must be a whole number from {} to {}", name, range.first, range.last));
}

LineResult<RouteConfig> read_line(std::span<const std::string_view> words) {
  constexpr std::string_view kForm = "a line is PREFIX GROUP [METRIC [WEIGHT]]";
  const auto prefix = parse_prefix(words[0]);
  if (!prefix) return wrong(words[0], prefix.error().message);
  if (words.size() < 2) return wrong(words[0], "the group is missing", std::string(kForm));
  if (words.size() > 4) return wrong(words[4], "this is too much", std::string(kForm));

  RouteConfig route;
  route.prefix = *prefix;
  auto target = parse_target(words[1]);
  if (!target) return tl::unexpected(std::move(target.error()));
  route.target = std::move(*target);
  if (words.size() > 2) {
    const auto metric = parse_column(words[2], "metric", kMetrics);
    if (!metric) return tl::unexpected(metric.error());
    route.metric = *metric;
  }
  if (words.size() > 3) {
    const auto weight = parse_column(words[3], "weight", kWeights);
    if (!weight) return tl::unexpected(weight.error());
    route.weight = *weight;
  }
  return route;
}

TableConfig read_table(const Node& node, Report& report) {
  const std::string where = format("table.{}", printable(node.key));
  TableReader in(node, where, report);
  TableConfig table;
  table.name = node.key;
  table.priority = in.number<std::int32_t>("priority", kPriorities).value_or(table.priority);
  table.default_group = in.text("default_group");
  if (const Node* routes = in.find("routes"))
    table.routes = read_list<RouteConfig>(*routes, where + ".routes", report, read_route);
  if (const Node* files = in.find("files"))
    read_text_files(node, *files, table.routes, report, read_line);
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
