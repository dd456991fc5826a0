// What is looked at in the text of a rules file before, and beside, its parser.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "node.hpp"

namespace nfsteer {

// More parts than any key has. The parser recurses over them without a limit
// of its own: a file of dots would overflow the stack.
inline constexpr unsigned kKeyPartsMax = 16;

// More values than the largest file has that says something. Some take hundreds of
// bytes each while they are read: a file of zeros would take the machine's memory.
inline constexpr std::size_t kFileValuesMax = 10'000'000;

// What a text in UTF-8 may begin with.
inline constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// The offset of the first byte that is NUL or no UTF-8; nullopt in a text.
std::optional<std::size_t> find_broken_text(std::string_view text) noexcept;

// What a file must not have to be parsed at all: bytes that are not text, keys of
// more than kKeyPartsMax parts, more than kFileValuesMax values.
std::optional<Mistake> find_hazard(std::string_view text);

// Whether all that begins in the line ends in it, so that the lines behind it
// mean the same without it.
bool is_closed(std::string_view line);

// The bytes of a line, from 1, without its end. Empty behind the last line.
std::string_view line_at(std::string_view text, unsigned line) noexcept;

}  // namespace nfsteer
