// [[policy]]
#include <utility>

#include "nfsteer/base/text.hpp"
#include "reader.hpp"
#include "sections.hpp"
#include "target.hpp"

namespace nfsteer {
namespace {

// Adds the values of one criterion; those that cannot be read are left out.
Criterion read_criterion(const Field& field, const Node& node, Report& report) {
  Criterion criterion{.field = &field, .any = {}, .none = {}};
  for (const Node& value : one_or_many(node, report)) {
    const bool is_number = value.kind == Node::Kind::Integer;
    if (!is_number && value.kind != Node::Kind::Text) {
      report.value_mistake(value, format("`{}` must be {}", field.name, field.expects));
      continue;
    }
    const Result<void> added =
        criterion.add(is_number ? std::to_string(value.integer) : value.text);
    if (!added)
      report.value_mistake(value, added.error().message,
                           format("`{}` takes {}", field.name, field.expects));
  }
  return criterion;
}

std::optional<Match> read_match(const Node& node, const std::string& where, Report& report) {
  TableReader in(node, where, report);
  if (node.kind != Node::Kind::Table) return std::nullopt;
  Match match;
  match.reserve(node.children.size());
  for (const Field& field : fields())
    if (const Node* value = in.find(field.name))
      match.push_back(read_criterion(field, *value, report));
  in.finish();
  return match;
}

// One table, or a list of tables of which one must hold.
std::vector<Match> read_matches(const Node& node, const std::string& where, Report& report) {
  if (node.kind == Node::Kind::List) {
    if (node.children.empty())
      report.value_mistake(node, "`match` must have at least one table",
                           "leave it out to match every flow");
    return read_list<Match>(node, where, report, read_match);
  }
  auto match = read_match(node, where, report);
  if (!match) return {};
  return {std::move(*match)};
}

std::optional<PolicyTarget> read_target(TableReader& in, Report& report) {
  const Node* const target = in.find_target("policy", {"group", "table", "action"});
  if (!target) return std::nullopt;
  if (target->key == "action") return read_action(*target, report);
  auto name = read_text(*target, report);
  if (!name) return std::nullopt;
  if (target->key == "group") return ToGroup{std::move(*name)};
  return ToTable{std::move(*name)};
}

std::optional<PolicyConfig> read_policy(const Node& node, const std::string& where,
                                        Report& report) {
  TableReader in(node, where, report);
  in.require({"name"});
  const auto name = in.text("name");
  PolicyConfig policy;
  policy.priority = in.number<std::int32_t>("priority", kPriorities).value_or(policy.priority);
  policy.enabled = in.flag("enabled").value_or(policy.enabled);
  policy.dry_run = in.flag("dry_run").value_or(policy.dry_run);
  if (const Node* match = in.find("match"))
    policy.match = read_matches(*match, where + ".match", report);
  auto target = read_target(in, report);
  in.finish();
  if (!name || !target) return std::nullopt;
  policy.name = *name;
  policy.target = std::move(*target);
  return policy;
}

}  // namespace

std::vector<PolicyConfig> read_policies(const Node& node, Report& report) {
  return read_list<PolicyConfig>(node, "policy", report, read_policy);
}

}  // namespace nfsteer
