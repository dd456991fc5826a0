// [[policy]]
#include <algorithm>
#include <array>
#include <utility>

#include "nfsteer/base/text.hpp"
#include "reader.hpp"
#include "sections.hpp"

namespace nfsteer {
namespace {

// Adds the values of one criterion; those that cannot be read are left out.
Criterion read_criterion(const Field& field, const Node& node, Report& report) {
  Criterion criterion{.field = &field, .intervals = {}, .prefixes = {}};
  for (const Node* value : one_or_many(node, report)) {
    const bool is_number = value->kind == Node::Kind::Integer;
    if (!is_number && value->kind != Node::Kind::Text) {
      report.value_mistake(*value, format("`{}` must be {}", field.name, field.expects));
      continue;
    }
    const Result<void> added =
        criterion.add(is_number ? std::to_string(value->integer) : value->text);
    if (!added)
      report.value_mistake(*value, added.error().message,
                           format("`{}` takes {}", field.name, field.expects));
  }
  return criterion;
}

std::vector<Criterion> read_match(const Node& node, const std::string& where, Report& report) {
  TableReader in(node, where, report);
  std::vector<Criterion> result;
  for (const Field& field : fields())
    if (const Node* value = in.find(field.name))
      result.push_back(read_criterion(field, *value, report));
  in.finish();
  return result;
}

std::optional<Target> read_target(TableReader& in, Report& report) {
  static constexpr std::array<std::string_view, 3> kWords{"accept", "drop", "reject"};
  static constexpr Action kActions[] = {Action::Accept, Action::Drop, Action::Reject};

  in.require({"group", "table", "action"});
  const Node* const group = in.find("group");
  const Node* const table = in.find("table");
  const Node* const action = in.find("action");

  const Node* first = nullptr;
  for (const Node* given : {group, table, action}) {
    if (given && first)
      report.key_mistake(*given,
                         format("a policy has one target: `{}` or `{}`", first->key, given->key));
    if (!first) first = given;
  }
  if (!first) return std::nullopt;
  if (first == action) {
    const auto word = read_word(*action, kWords, report);
    return word ? std::optional<Target>(kActions[*word]) : std::nullopt;
  }
  auto name = read_text(*first, report);
  if (!name) return std::nullopt;
  if (first == group) return ToGroup{std::move(*name)};
  return ToTable{std::move(*name)};
}

std::optional<PolicyConfig> read_policy(const Node& node, const std::string& where,
                                        Report& report) {
  TableReader in(node, where, report);
  in.require({"name"});
  const auto name = in.text("name");
  PolicyConfig policy;
  policy.priority = in.number<std::int32_t>("priority", kPriorities).value_or(policy.priority);
  if (const Node* match = in.find("match"))
    policy.match = read_match(*match, where + ".match", report);
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
