#include "problems.hpp"

#include <string>
#include <string_view>
#include <unordered_set>

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

// The node below that a step of a problem's path leads to, or nullptr.
const Node* step_down(const Node& node, std::string_view step, const Report& report) {
  if (node.kind == Node::Kind::Table) return find_member(node, step);
  if (!step.starts_with('[') || !step.ends_with(']')) return nullptr;
  const auto index = parse_number(step.substr(1, step.size() - 2));
  return index ? report.element(node, *index) : nullptr;
}

// The deepest node on the way of the path that the file has.
const Node& follow(const std::vector<std::string>& path, const Node& root, const Report& report) {
  const Node* node = &root;
  for (const std::string& step : path) {
    const Node* next = step_down(*node, step, report);
    if (!next) break;
    node = next;
  }
  return *node;
}

// The groups of which some servers could not be read: what refers to them is
// not judged by those that are left.
std::unordered_set<std::string_view> groups_read_in_part(const Node& root, const Report& report) {
  std::unordered_set<std::string_view> names;
  const Node* groups = find_member(root, "group");
  if (!groups) return names;
  for (const Node& group : groups->children) {
    const Node* servers = find_member(group, "servers");
    if (servers ? !report.is_whole(*servers) : report.has_mistake_in(group))
      names.insert(group.key);
  }
  return names;
}

}  // namespace

std::vector<Mistake> locate(const std::vector<Problem>& problems, const Node& root,
                            const Report& report) {
  const auto partial_groups = groups_read_in_part(root, report);
  std::vector<Mistake> mistakes;
  for (const Problem& problem : problems) {
    const Node& node = follow(problem.path, root, report);
    const bool is_file = &node == &root;
    const bool refers_to_partial = node.key == "group" && partial_groups.contains(node.text);
    if (refers_to_partial || (!is_file && report.has_mistake_in(node))) continue;
    mistakes.push_back({is_file ? Place{} : node.place, problem.message, problem.remedy});
  }
  return mistakes;
}

}  // namespace nfsteer
