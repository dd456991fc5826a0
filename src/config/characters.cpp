#include "characters.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

struct Range {
  char32_t first, last;
};

// Controls, and what reorders or hides text (bidirectional marks, zero width).
constexpr Range kHidden[] = {
    {0x0, 0x1f},      {0x7f, 0x9f},     {0xad, 0xad},     {0x200b, 0x200f},   {0x2028, 0x202e},
    {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
};
constexpr Range kCombining[] = {
    {0x300, 0x36f}, {0x1ab0, 0x1aff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
};
constexpr Range kWide[] = {
    {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
    {0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};

template <std::size_t N>
bool in(const Range (&ranges)[N], char32_t code) noexcept {
  return std::any_of(std::begin(ranges), std::end(ranges), [code](const Range& range) {
    return range.first <= code && code <= range.last;
  });
}

constexpr bool is_continuation(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

}  // namespace

Character first_character(std::string_view text) noexcept {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return {lead, text.substr(0, 1)};

  const Character broken{std::nullopt, text.substr(0, 1)};
  const auto length = static_cast<std::size_t>(std::countl_one(lead));
  if (length < 2 || length > 4 || text.size() < length) return broken;
  char32_t code = lead & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[i])) return broken;
    code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3f);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};  // of each length
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < kSmallest[length] || code > 0x10ffff || surrogate) return broken;
  return {code, text.substr(0, length)};
}

std::string_view skip_characters(std::string_view text, std::size_t count) noexcept {
  for (; count > 0 && !text.empty(); --count)
    text.remove_prefix(first_character(text).bytes.size());
  return text;
}

Glyph glyph(const Character& character) {
  if (!character.code)
    return {format("\\x{:02x}", static_cast<unsigned char>(character.bytes.front())), 4};
  const char32_t code = *character.code;
  if (code == '\t') return {"    ", 4};
  if (in(kHidden, code)) {
    const auto number = static_cast<std::uint32_t>(code);
    std::string escaped = code < 0x100 ? format("\\x{:02x}", number) : format("\\u{:04x}", number);
    const auto cells = static_cast<unsigned>(escaped.size());
    return {std::move(escaped), cells};
  }
  return {std::string(character.bytes), in(kCombining, code) ? 0u : in(kWide, code) ? 2u : 1u};
}

}  // namespace nfsteer
