// The fields that criteria.def lists, and the notation they share.
#pragma once

#include "nfsteer/rule.hpp"

namespace nfsteer {

#define CRITERION(key) extern const Field k_##key;
#include "criteria.def"
#undef CRITERION

// "80" or "8000-8100": ports 0 to 65535, the first not above the last.
Result<Interval> parse_port_interval(std::string_view text);

}  // namespace nfsteer
