// Rules files, as the commands that take one read them.
#pragma once

#include <optional>
#include <string>

#include "nfsteer/policy.hpp"

namespace nfsteer {

// The configuration in the file; nullopt after every mistake in it was written
// to stderr, with their number at the end.
std::optional<Config> load_or_complain(const std::string& path);

}  // namespace nfsteer
