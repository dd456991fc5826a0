// From what validate() finds in a Config to places in the file it came from.
#pragma once

#include <vector>

#include "nfsteer/policy.hpp"
#include "node.hpp"
#include "report.hpp"

namespace nfsteer {

// The problems as mistakes, without those that only follow from a mistake that
// the report has already.
std::vector<Mistake> locate(const std::vector<Problem>& problems, const Node& root,
                            const Report& report);

}  // namespace nfsteer
