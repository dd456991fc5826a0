// What is wrong with the checks of a configuration.
#pragma once

#include <vector>

#include "nfsteer/policy.hpp"

namespace nfsteer {

std::vector<Problem> validate_checks(const std::vector<CheckConfig>& checks);

}  // namespace nfsteer
