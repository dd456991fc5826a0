// Why a flow is decided as it is, as text for people. Programs read the JSON
// instead.
#pragma once

#include <string>

#include "nfsteer/explain.hpp"

namespace nfsteer {

std::string explanation_text(const Explanation& explanation);

}  // namespace nfsteer
