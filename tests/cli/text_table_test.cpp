#include "cli/text_table.hpp"

#include <doctest/doctest.h>

namespace nfsteer {
namespace {

TEST_CASE("text table: columns as wide as their content, nothing at the end of a line") {
  TextTable table({{"NAME"}, {"N", TextTable::Align::Right}, {"LAST"}});
  CHECK(table.text() == "NAME  N  LAST\n");
  table.add({"a", "1", "x"});
  table.add({"longer", "1000", ""});
  table.add({"", "", ""});
  CHECK(table.text() ==
        "NAME       N  LAST\n"
        "a          1  x\n"
        "longer  1000\n"
        "\n");
}

}  // namespace
}  // namespace nfsteer
