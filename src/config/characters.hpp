// UTF-8, character by character: the columns of a text file, and how wide they
// are on a terminal.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace nfsteer {

struct Character {
  std::optional<char32_t> code;  // nullopt: a byte that is not UTF-8
  std::string_view bytes;
};

// The character that the text begins with. REQUIRES: !text.empty()
Character first_character(std::string_view text) noexcept;

// The text behind its first `count` characters.
std::string_view skip_characters(std::string_view text, std::size_t count) noexcept;

// A character as a terminal shows it. Tabs are four spaces; what would be
// invisible or move the cursor is escaped.
struct Glyph {
  std::string text;
  unsigned cells;  // columns of the terminal that it takes
};
Glyph glyph(const Character& character);

}  // namespace nfsteer
