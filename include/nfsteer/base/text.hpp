// Text: formatting, numbers, and the nearest name to a misspelled one.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nfsteer {

using fmt::format;
using fmt::join;

// The whole text as an unsigned decimal or, after "0x", hexadecimal number.
// nullopt where it is anything else, or does not fit.
std::optional<std::uint64_t> parse_number(std::string_view text) noexcept;

// The candidate that was probably meant: the one at the smallest edit distance
// of at most two, or a third of its length. nullopt where none is near.
std::optional<std::string> nearest(std::string_view word,
                                   std::span<const std::string_view> candidates);

// "1 route", "2 routes".
std::string counted(std::uint64_t number, std::string_view singular, std::string_view plural);

// "2s", "90m", "250ms": in the largest of ms, s, m, h and d that divides it.
std::string duration_text(std::chrono::milliseconds duration);

// A printable form of what somebody else wrote: control characters escaped,
// cut after `limit` bytes.
std::string printable(std::string_view text, std::size_t limit = 60);

}  // namespace nfsteer
