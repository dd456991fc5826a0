// Rules files, as the commands that take one read them.
#pragma once

#include <optional>
#include <string>

#include "nfsteer/config.hpp"

namespace nfsteer {

// The configuration in the file; nullopt after every mistake in it was written
// to stderr, with their number at the end. `sources` gets what was read.
std::optional<Config> load_or_complain(const std::string& path,
                                       Expectations expectations = Expectations::Prove);
std::optional<Config> load_or_complain(const std::string& path, Sources& sources);

}  // namespace nfsteer
