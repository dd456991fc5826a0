// The fields that criteria.def lists, and the notation they share.
#pragma once

#include "nfsteer/rule.hpp"

namespace nfsteer {

#define CRITERION(key) extern const Field k_##key;
#include "criteria.def"
#undef CRITERION

// Each parses one value in a notation of rules files, and appends it.

// "10.0.0.0/8", an address alone, or "@NAME": a set of prefixes.
Result<void> parse_prefix_value(std::string_view text, std::vector<Value>& values);
// "80" or "8000-8100": ports 0 to 65535, the first not above the last.
Result<void> parse_ports(std::string_view text, std::vector<Value>& values);
// "eth0", or "eth*" for all names that begin so.
Result<void> parse_interface(std::string_view text, std::vector<Value>& values);
// "1000", "1000-1999", or a name for which `find` has the number; `what` tells of
// what kind the name is.
Result<void> parse_ids(std::string_view text, std::vector<Value>& values, std::string_view what,
                       std::optional<std::uint32_t> (*find)(const char* name));
// "DE", "continent:EU", "--", or the name of a group of countries.
Result<void> parse_country(std::string_view text, std::vector<Value>& values);

// The interval that "7" or "7-9" names; nullopt where the text is neither, or a
// number is above `max`.
std::optional<Interval> parse_interval(std::string_view text, std::uint32_t max) noexcept;

}  // namespace nfsteer
