// How a message looks.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "nfsteer/config.hpp"

using namespace nfsteer;

namespace {

std::string rendered(const std::string& source, unsigned column, unsigned width) {
  return render({.file = "f.toml",
                 .line = 7,
                 .column = column,
                 .width = width,
                 .message = "wrong",
                 .remedy = "",
                 .source = source});
}

// The lines of the source and of the underline, from their margins on.
std::string picture(const std::string& source, unsigned column, unsigned width) {
  const std::string all = rendered(source, column, width);
  return all.substr(all.find("7 | "));
}

}  // namespace

TEST_CASE("a message has its place, the source line, the underline and the remedy") {
  CHECK(render({.file = "new.toml",
                .line = 85,
                .column = 3,
                .width = 6,
                .message = "unknown key `wieght`",
                .remedy = "did you mean `weight`?",
                .source = "{ wieght = 20 },"}) ==
        "error: unknown key `wieght`\n"
        "  --> new.toml:85:3\n"
        "   |\n"
        "85 | { wieght = 20 },\n"
        "   |   ^^^^^^ did you mean `weight`?\n");
}

TEST_CASE("a message about the whole file") {
  Diagnostic diagnostic;
  diagnostic.file = "new.toml";
  diagnostic.message = "cannot open the file";
  CHECK(render(diagnostic) == "error: cannot open the file\n --> new.toml\n");
  diagnostic.remedy = "make one";
  CHECK(render(diagnostic) == "error: cannot open the file\n --> new.toml\n  = make one\n");
}

TEST_CASE("the underline is under the place") {
  const struct {
    std::string_view remark;
    std::string source;
    unsigned column, width;
    std::string_view want;
  } kCases[] = {
      {"the first character", "abc", 1, 1, "7 | abc\n  | ^\n"},
      {"the whole line", "abc", 1, 3, "7 | abc\n  | ^^^\n"},
      {"behind the line", "abc", 4, 1, "7 | abc\n  |    ^\n"},
      {"an empty line", "", 1, 1, "7 | \n  | ^\n"},
      {"a tab is shown as four", "\tab\tc", 5, 1, "7 |     ab    c\n  |           ^\n"},
      {"one cell, several bytes", "äöü€x", 5, 1, "7 | äöü€x\n  |     ^\n"},
      {"wide characters", "名前x", 2, 2, "7 | 名前x\n  |   ^^^\n"},
      {"a combining accent has no cell", "e\xcc\x81x", 3, 1, "7 | e\xcc\x81x\n  |  ^\n"},
      {"control characters are escaped", "a\x1b[1mx", 6, 1, "7 | a\\x1b[1mx\n  |         ^\n"},
      {"so is what reorders the line", "a\u202ex", 3, 1, "7 | a\\u202ex\n  |        ^\n"},
      {"and what is not UTF-8", "a\xffx", 2, 1, "7 | a\\xffx\n  |  ^^^^\n"},
      {"a character cut in two", "a\xe2\x82", 3, 1, "7 | a\\xe2\\x82\n  |      ^^^^\n"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.remark);
    CHECK(picture(row.source, row.column, row.width) == row.want);
  }
}

TEST_CASE("messages, remedies and file names cannot move the cursor either") {
  Diagnostic diagnostic;
  diagnostic.file = "a\x1b[2J.toml";
  diagnostic.message = "unknown key `\n\u202e`";
  CHECK(render(diagnostic) == "error: unknown key `\\x0a\\u202e`\n --> a\\x1b[2J.toml\n");
}

TEST_CASE("of a long line the part around the place is shown") {
  constexpr std::size_t kLineMax = 160;
  const auto only = [](const std::string& text) {
    const LoadResult result = parse_config(text, "f.toml");
    const auto& diagnostics = std::get<std::vector<Diagnostic>>(result);
    REQUIRE(diagnostics.size() == 1);
    return diagnostics.front();
  };
  const std::string padding = "[engine]\n" + std::string(1000, ' ');

  const Diagnostic middle = only(padding + "quues = 1 #" + std::string(1000, 'x'));
  CHECK(middle.column == 1001);
  CHECK(middle.source.substr(middle.column - middle.source_column, middle.width) == "quues");
  CHECK(middle.source.starts_with("... "));
  CHECK(middle.source.ends_with("x..."));
  CHECK(middle.source.size() == kLineMax + 6);

  const Diagnostic start = only("[engine]\nquues = 1 #" + std::string(1000, 'x'));
  CHECK(start.source_column == 1);
  CHECK(start.source.starts_with("quues"));
  CHECK(start.source.size() == kLineMax + 3);

  const Diagnostic end = only(padding + "quues = 1");
  CHECK(end.source.ends_with("quues = 1"));

  const Diagnostic fits = only("[engine]\n" + std::string(kLineMax - 9, ' ') + "quues = 1");
  CHECK(fits.source.size() == kLineMax);

  const Diagnostic wide = only("[engine]\nqueues = \"" + std::string(5000, 'x') + "\"");
  CHECK(wide.width == kLineMax - 9);  // no underline where nothing is shown
}
