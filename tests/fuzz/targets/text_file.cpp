// Files of routes and of prefixes: the words of their lines against a plain reader,
// then the whole file as that of a table and of a set.
#include "config/text_file.hpp"

#include <string>
#include <vector>

#include "../../geo/memory_file.hpp"
#include "../fuzz.hpp"
#include "nfsteer/config.hpp"

using namespace nfsteer;

namespace {

struct Line {
  std::size_t number = 0, offset = 0;
  std::vector<std::string> words;

  friend bool operator==(const Line&, const Line&) = default;
};

// The lines that have words; of each the first words.
std::vector<Line> read_plainly(std::string_view text) {
  std::vector<Line> lines;
  std::size_t number = 1;
  for (std::size_t start = 0; start < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    Line line{number, start, {}};
    std::string word;
    for (const char c : std::string(text.substr(start, end - start)) + "#") {
      const bool is_blank = c == ' ' || c == '\t' || c == '\r';
      if (!is_blank && c != '#') word += c;
      if ((is_blank || c == '#') && !word.empty()) line.words.push_back(std::exchange(word, {}));
      if (c == '#') break;
    }
    if (line.words.size() > LineReader::kWordsMax) line.words.resize(LineReader::kWordsMax);
    if (!line.words.empty()) lines.push_back(line);
    start = end + 1;
  }
  return lines;
}

std::vector<Line> read_lines(std::string_view text) {
  std::vector<Line> lines;
  for (LineReader reader(text); reader.next();)
    lines.push_back({reader.line().number,
                     reader.line().offset,
                     {reader.words().begin(), reader.words().end()}});
  return lines;
}

// How many routes or prefixes the file has by the rules; nothing where it has mistakes.
std::optional<std::size_t> count(const std::string& rules, std::size_t lines) {
  const LoadResult result = parse_config(rules, "/nonexistent/rules.toml");
  if (const auto* diagnostics = std::get_if<std::vector<Diagnostic>>(&result)) {
    FUZZ_CHECK(!diagnostics->empty());
    for (const Diagnostic& each : *diagnostics) {
      FUZZ_CHECK(!render(each).empty());
      FUZZ_CHECK(each.line <= std::max<std::size_t>(lines, 10));
    }
    return std::nullopt;
  }
  const auto& config = std::get<Config>(result);
  return config.tables.empty() ? config.sets.at(0).prefixes.size()
                               : config.tables.at(0).routes.size();
}

}  // namespace

FUZZ_TARGET(text_file) {
  static const testing::MemoryFile file;
  static const std::string kSet = "[set.s]\nfiles = \"" + file.path() + "\"\n";
  static const std::string kTable =
      "[group.web]\nservers = [{ name = \"a\", address = \"10.2.0.1\" },\n"
      "{ name = \"b\", address = \"2001:db8::1\" }]\n[group.four]\n"
      "servers = [{ name = \"a\", address = \"10.2.0.1\" }]\n[table.t]\nfiles = \"" +
      file.path() + "\"\n";
  std::string_view text = fuzz::text_of(input);
  const auto lines = read_plainly(text);
  FUZZ_CHECK(read_lines(text) == lines);
  FUZZ_CHECK(file.write(text));
  const auto prefixes = count(kSet, lines.empty() ? 0 : lines.back().number);
  const auto routes = count(kTable, lines.empty() ? 0 : lines.back().number);
  // A mark of the byte order is in the first word of it, or all of a line of its own.
  if (text.starts_with("\xef\xbb\xbf")) return;
  FUZZ_CHECK(!prefixes || *prefixes == lines.size());
  FUZZ_CHECK(!routes || *routes == lines.size());
}
