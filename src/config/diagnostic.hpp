// From a mistake to the message that shows its place.
#pragma once

#include <string>
#include <string_view>

#include "nfsteer/config.hpp"
#include "node.hpp"

namespace nfsteer {

// The mistake, with the line of the text that it is in.
Diagnostic make_diagnostic(const Mistake& mistake, std::string_view text, const std::string& file);

}  // namespace nfsteer
