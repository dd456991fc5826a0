#include "validate_checks.hpp"

#include <set>
#include <string_view>
#include <utility>

#include "names.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {

std::vector<Problem> validate_checks(const std::vector<CheckConfig>& checks) {
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
  return result;
}

}  // namespace nfsteer
