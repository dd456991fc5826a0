// What is wrong with the checks of a configuration.
#pragma once

#include <vector>

#include "nfsteer/policy.hpp"

namespace nfsteer {

// Also of the groups, in what they say of checks.
std::vector<Problem> validate_checks(const std::vector<CheckConfig>& checks,
                                     const std::vector<GroupConfig>& groups);

}  // namespace nfsteer
