// The status of an engine as text for people: at most 100 columns where names
// are of ordinary length. Programs read the JSON instead.
#pragma once

#include <string>

#include "nfsteer/engine.hpp"

namespace nfsteer {

std::string status_text(const Status& status);

}  // namespace nfsteer
