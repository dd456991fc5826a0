#include "validate_checks.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "names.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

// Each server of a group is asked somewhere.
void check_ports(const CheckConfig& check, const GroupConfig& group, std::vector<Problem>& result) {
  if (!find_check_kind(check.kind)) return;  // said of the check
  for (std::size_t i = 0; i < group.servers.size(); ++i) {
    const ServerConfig& server = group.servers[i];
    if (target_of(check, server.address, server.port)) continue;
    result.push_back(
        {{"group", group.name, "servers", element(i)},
         format("server `{}` has no port that check `{}` could ask", server.name, check.name),
         format("add `port = N` to the server or to [check.{}]", check.name)});
  }
}

void check_group(const std::vector<CheckConfig>& checks, const GroupConfig& group,
                 std::vector<Problem>& result) {
  if (!group.check) return;
  const auto found = std::ranges::find(checks, *group.check, &CheckConfig::name);
  if (found != checks.end()) return check_ports(*found, group, result);
  std::vector<std::string_view> names;
  for (const CheckConfig& check : checks) names.emplace_back(check.name);
  const std::string hint = suggestion(*group.check, names);
  result.push_back(
      {{"group", group.name, "check"},
       format("check `{}` does not exist", printable(*group.check)),
       hint.empty() ? format("add a section [check.{}]", printable(*group.check)) : hint});
}

}  // namespace

std::vector<Problem> validate_checks(const std::vector<CheckConfig>& checks,
                                     const std::vector<GroupConfig>& groups) {
  std::vector<Problem> result;
  std::set<std::string_view> seen;
  for (const CheckConfig& check : checks) {
    const std::vector<std::string> path{"check", check.name};
    if (auto problem = check_name(check.name, path, "check")) result.push_back(*std::move(problem));
    if (!seen.insert(check.name).second)
      result.push_back({path, format("check `{}` is defined twice", check.name), {}});
    for (CheckProblem& found : problems_of(check)) {
      Problem problem{path, std::move(found.message), std::move(found.remedy)};
      problem.path.insert(problem.path.end(), found.path.begin(), found.path.end());
      result.push_back(std::move(problem));
    }
  }
  for (const GroupConfig& group : groups) check_group(checks, group, result);
  return result;
}

}  // namespace nfsteer
