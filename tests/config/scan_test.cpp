#include "config/scan.hpp"

#include <doctest/doctest.h>

using namespace nfsteer;

TEST_CASE("a line that is closed in itself can be left out") {
  static constexpr struct {
    std::string_view line;
    bool want;
  } kCases[] = {
      {"", true},
      {"a = 1", true},
      {"a = [1, { b = 2 }]", true},
      {"a = [", false},
      {"]", false},
      {"{ name = \"a\" },", true},
      {"a = [}", false},
      {"a = \"[\"", true},
      {"a = '{\"'", true},
      {"a = \"\\\"[\"", true},
      {"a = \"b", true},  // a string ends with its line
      {"a = 'b\"", true},
      {"{ a = \"b },", false},
      {"a = 1 # [", true},
      {"a = \"\"\"", false},   // goes on in the next line
      {"a = '''b'''", false},  // may, for all that one line says
      {"a = \"\" ]", false},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.line);
    CHECK(is_closed(row.line) == row.want);
  }
}

TEST_CASE("lines of a text") {
  static constexpr std::string_view kText = "one\n\nthree\r\nfour";
  CHECK(line_at(kText, 1) == "one");
  CHECK(line_at(kText, 2) == "");
  CHECK(line_at(kText, 3) == "three");
  CHECK(line_at(kText, 4) == "four");
  CHECK(line_at(kText, 5) == "");
  CHECK(line_at("", 1) == "");
}
