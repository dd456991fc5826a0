// The parser ends at its first mistake. To find the others, the line of the
// mistake is blanked and the text is parsed again, as long as that cannot move
// other lines elsewhere: the line has to be closed in itself and no header.
#include "syntax.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "characters.hpp"
#include "scan.hpp"
#include "toml.hpp"

namespace nfsteer {
namespace {

// Each costs a pass over the file.
constexpr std::size_t kSyntaxMistakesMax = 5;

// The length of what stands at the place, which is seldom one character.
unsigned word_width(std::string_view text, const Place& place) {
  std::string_view rest = skip_characters(line_at(text, place.line), place.column - 1);
  rest = rest.substr(0, rest.find_first_of(" \t,=[]{}\"'#"));
  unsigned width = 0;
  for (; !rest.empty(); ++width) rest = skip_characters(rest, 1);
  return std::max(width, 1u);
}

bool can_be_left_out(std::string_view line) {
  const std::size_t first = line.find_first_not_of(" \t");
  return first != std::string_view::npos && line[first] != '[' && is_closed(line);
}

void blank(std::string& text, unsigned line) {
  const std::string_view bytes = line_at(text, line);
  const auto start = static_cast<std::size_t>(bytes.data() - text.data());
  std::fill_n(text.begin() + static_cast<std::ptrdiff_t>(start), bytes.size(), ' ');
}

}  // namespace

Syntax read_syntax(std::string_view text) {
  Syntax syntax;
  if (auto hazard = find_hazard(text)) {
    syntax.mistakes.push_back(std::move(*hazard));
    return syntax;
  }
  std::string readable(text);
  for (;;) {
    auto parsed = parse_toml(readable);
    if (auto* root = std::get_if<Node>(&parsed)) {
      syntax.root = std::move(*root);
      return syntax;
    }
    auto& mistake = std::get<Mistake>(parsed);
    const unsigned line = mistake.place.line;
    if (!syntax.mistakes.empty() && line <= syntax.mistakes.back().place.line) return syntax;
    mistake.place.width = word_width(text, mistake.place);
    syntax.mistakes.push_back(std::move(mistake));
    if (syntax.mistakes.size() == kSyntaxMistakesMax) return syntax;
    if (!can_be_left_out(line_at(text, line))) return syntax;
    blank(readable, line);
  }
}

}  // namespace nfsteer
