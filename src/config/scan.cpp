#include "scan.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "characters.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

Place place_at(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  std::string_view line = before.substr(line_start);
  Place place{.line = static_cast<unsigned>(std::count(before.begin(), before.end(), '\n')) + 1,
              .column = 1};
  for (; !line.empty(); ++place.column) line.remove_prefix(first_character(line).bytes.size());
  return place;
}

// The offset behind the string in triple quotes that begins at `start`.
std::size_t skip_long_string(std::string_view text, std::size_t start) {
  const std::string_view quotes = text.substr(start, 3);
  for (std::size_t at = start + 3; at < text.size(); ++at) {
    if (text[at] == '\\' && quotes.front() == '"') {
      ++at;
    } else if (text.substr(at, 3) == quotes) {
      // Up to two quotes more belong to the string.
      std::size_t end = at + 3;
      while (end < text.size() && end < at + 5 && text[end] == quotes.front()) ++end;
      return end;
    }
  }
  return text.size();
}

// The offset behind the string that begins at `start`, or the end of its line
// or of the text where nothing closes it.
std::size_t skip_string(std::string_view text, std::size_t start) {
  const char quote = text[start];
  const bool is_long = text.substr(start, 3) == (quote == '"' ? "\"\"\"" : "'''");
  if (is_long) return skip_long_string(text, start);
  for (std::size_t at = start + 1; at < text.size() && text[at] != '\n'; ++at) {
    if (text[at] == quote) return at + 1;
    if (text[at] == '\\' && quote == '"' && text.substr(at + 1, 1) != "\n") ++at;
  }
  return std::min(text.find('\n', start), text.size());
}

// How many bytes the text begins with that are ASCII and not NUL, up to the last
// few: they are looked at eight at a time.
std::size_t count_plain(std::string_view text) noexcept {
  constexpr std::uint64_t kLowBits = 0x0101'0101'0101'0101, kHighBits = kLowBits << 7;
  std::size_t at = 0;
  for (std::uint64_t bytes = 0; at + sizeof bytes <= text.size(); at += sizeof bytes) {
    std::memcpy(&bytes, text.data() + at, sizeof bytes);
    // The subtraction borrows into the high bit of a byte that is zero.
    if (((bytes | (bytes - kLowBits)) & kHighBits) != 0) break;
  }
  return at;
}

std::optional<Mistake> find_excess(std::string_view text) {
  unsigned parts = 1;
  std::size_t values = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    switch (text[at]) {
      case '"':
      case '\'':
        at = skip_string(text, at) - 1;
        break;
      case '#':
        at = std::min(text.find('\n', at), text.size()) - 1;
        break;
      case '.':
        if (++parts > kKeyPartsMax)
          return Mistake{
              place_at(text, at), format("a key of more than {} parts", kKeyPartsMax), {}};
        break;
      case '=':
      case ',':
      case '[':
        if (++values > kFileValuesMax)
          return Mistake{{}, format("the file has over {} values", kFileValuesMax), {}};
        [[fallthrough]];
      case ']':
      case '{':
      case '}':
      case '\n':
        parts = 1;
        break;
      default:
        break;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::size_t> find_broken_text(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    at += count_plain(text.substr(at));
    if (at == text.size()) break;
    const Character character = first_character(text.substr(at));
    if (!character.code || *character.code == 0) return at;
    at += character.bytes.size();
  }
  return std::nullopt;
}

std::optional<Mistake> find_hazard(std::string_view text) {
  if (const auto broken = find_broken_text(text))
    return Mistake{place_at(text, *broken), "a rules file is UTF-8 text, and this byte is not", {}};
  return find_excess(text);
}

bool is_closed(std::string_view line) {
  std::string open;
  for (std::size_t at = 0; at < line.size();) {
    const char c = line[at];
    if (c == '#') break;
    if (c == '"' || c == '\'') {
      const bool may_span_lines = line.substr(at, 3) == std::string(3, c);
      if (may_span_lines) return false;
      at = skip_string(line, at);
      continue;
    }
    if (c == '[' || c == '{') open += c == '[' ? ']' : '}';
    if (c == ']' || c == '}') {
      if (open.empty() || open.back() != c) return false;
      open.pop_back();
    }
    ++at;
  }
  return open.empty();
}

std::string_view line_at(std::string_view text, unsigned line) noexcept {
  for (; line > 1; --line) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find('\n'));
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

}  // namespace nfsteer
