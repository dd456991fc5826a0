#include "diagnostic.hpp"

#include <algorithm>

#include "characters.hpp"
#include "nfsteer/base/text.hpp"
#include "scan.hpp"

namespace nfsteer {
namespace {

constexpr unsigned kShownMax = 160;    // characters of a source line
constexpr unsigned kShownBefore = 60;  // of them before the place, where the line is longer
constexpr std::string_view kCut = "...";

// The part of a line around the diagnostic's place becomes its source.
void take_source(Diagnostic& diagnostic, std::string_view line) {
  const bool cut_before =
      diagnostic.column > kShownMax / 2 && !skip_characters(line, kShownMax).empty();
  const unsigned first = cut_before ? diagnostic.column - kShownBefore : 1;
  const std::string_view tail = skip_characters(line, first - 1);
  const std::string_view rest = skip_characters(tail, kShownMax);
  const std::string_view part = tail.substr(0, tail.size() - rest.size());

  unsigned width = 0;
  for (auto left = skip_characters(part, diagnostic.column - first);
       !left.empty() && width < diagnostic.width; ++width)
    left = skip_characters(left, 1);
  diagnostic.width = std::max(width, 1u);
  diagnostic.source = format("{}{}{}", cut_before ? kCut : "", part, rest.empty() ? "" : kCut);
  diagnostic.source_column = cut_before ? first - static_cast<unsigned>(kCut.size()) : 1;
}

struct Picture {
  std::string line;
  std::string underline;
};

// A line as a terminal shows it, and the underline of `width` characters from
// the one at `start`, which counts from 0.
Picture draw(std::string_view line, unsigned start, unsigned width) {
  Picture picture;
  for (unsigned at = 0; !line.empty(); ++at) {
    const Character character = first_character(line);
    line.remove_prefix(character.bytes.size());
    const Glyph shown = glyph(character);
    picture.line += shown.text;
    if (at < start + width) picture.underline.append(shown.cells, at < start ? ' ' : '^');
  }
  if (!picture.underline.ends_with('^')) picture.underline += '^';  // behind the line's end
  return picture;
}

// Keys and values of the file are in messages too: nothing of them may move
// the cursor or hide.
std::string visible(std::string_view text) {
  return draw(text, 0, 0).line;
}

}  // namespace

Diagnostic make_diagnostic(const Mistake& mistake, std::string_view text, const std::string& file) {
  Diagnostic diagnostic{.file = file,
                        .line = mistake.place.line,
                        .column = mistake.place.column,
                        .width = mistake.place.width,
                        .message = mistake.message,
                        .remedy = mistake.remedy,
                        .source = {}};
  if (diagnostic.line > 0) take_source(diagnostic, line_at(text, diagnostic.line));
  return diagnostic;
}

std::string render(const Diagnostic& diagnostic) {
  const std::string file = visible(diagnostic.file);
  const std::string message = visible(diagnostic.message);
  const std::string remedy = visible(diagnostic.remedy);
  if (diagnostic.line == 0)
    return format("error: {}\n --> {}\n{}", message, file,
                  remedy.empty() ? "" : format("  = {}\n", remedy));

  const std::string number = format("{}", diagnostic.line);
  const std::string margin(number.size(), ' ');
  const Picture picture =
      draw(diagnostic.source, diagnostic.column - diagnostic.source_column, diagnostic.width);
  return format("error: {0}\n{1}--> {2}:{3}:{4}\n{1} |\n{3} | {5}\n{1} | {6}{7}{8}\n", message,
                margin, file, number, diagnostic.column, picture.line, picture.underline,
                remedy.empty() ? "" : " ", remedy);
}

std::string render(const std::vector<Diagnostic>& mistakes) {
  std::string text;
  for (const Diagnostic& mistake : mistakes) text += render(mistake);
  // Past the limit, the last of them only counts those that are not shown.
  if (mistakes.size() > kDiagnosticsMax)
    return text + format("More than {} errors.\n", kDiagnosticsMax);
  return text + counted(mistakes.size(), "error", "errors") + ".\n";
}

}  // namespace nfsteer
