// Where messages point, and which ones are left out because they only follow
// from another.
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "nfsteer/config.hpp"

using namespace nfsteer;

namespace {

std::vector<Diagnostic> diagnose(const std::string& text) {
  LoadResult result = parse_config(text, "test.toml");
  REQUIRE(std::holds_alternative<std::vector<Diagnostic>>(result));
  return std::get<std::vector<Diagnostic>>(std::move(result));
}

// "LINE:COLUMN+WIDTH", one word each.
std::string places(const std::string& text) {
  std::string result;
  for (const Diagnostic& d : diagnose(text))
    result += (result.empty() ? "" : " ") + std::to_string(d.line) + ":" +
              std::to_string(d.column) + "+" + std::to_string(d.width);
  return result;
}

const std::string kServers = "servers = [{ name = \"a\", address = \"10.2.0.1\" }]\n";

}  // namespace

TEST_CASE("places") {
  const struct {
    std::string_view remark;
    std::string text;
    std::string_view want;
  } kCases[] = {
      {"an unknown key: the key", "[engine]\nquues = 2", "2:1+5"},
      {"a quoted key, with its quotes", "[engine]\n\"qu es\" = 2", "2:1+7"},
      {"a wrong value: the value", "[engine]\nqueues = \"many\" # cpus", "2:10+6"},
      {"a tab is one column", "[engine]\n\tqueues\t=\t-1", "2:11+2"},
      {"so is a character of several bytes", "\"äö€😀\" = 1", "1:1+6"},
      {"columns behind them", "[engine]\nhooks = [\"ä€\", \"x\"]", "2:10+4 2:16+3"},
      {"lines that end in CR LF", "[engine]\r\nquues = 2\r\n", "2:1+5"},
      {"a byte order mark is no column", "\xef\xbb\xbfquues = 2", "1:1+5"},
      {"a missing key: the inline table", "[group.web]\nservers = [\n  { name = \"a\" },\n]",
       "3:3+14"},
      {"a missing key: the header", "[[policy]]\nname = \"p\"", "1:1+10"},
      {"a value over several lines: its first", "[engine]\nqueues = [ # which\n  1,\n]", "2:10+9"},
      {"a dotted key", "engine.queues = 0\nengine.quues = 1", "1:17+1 2:8+5"},
      {"a name: the header", "[group.Web]\n" + kServers, "1:1+11"},
      {"a default that does not fit: the section it would be in",
       "[engine]\nqueues = 1\n" +
           [] {
             std::string many = "[group.web]\nservers = [\n";
             for (int i = 0; i < 4094; ++i)
               many += "{ name = \"s" + std::to_string(i) + "\", address = \"10.0." +
                       std::to_string(i / 256) + "." + std::to_string(i % 256) + "\" },\n";
             return many + "]\n";
           }(),
       "1:1+8"},
      {"an element behind one that was left out",
       "[group.web]\n" + kServers +
           "[table.main]\nroutes = [\n{ prefix = 1, group = \"web\" },\n"
           "{ prefix = \"10.0.0.0/8\", group = \"nil\" },\n]",
       "5:12+1 6:34+5"},
      {"in the order of the file", "[[policy]]\nname = 1\naction = 2\n[engine]\nqueues = 0",
       "2:8+1 3:10+1 5:10+1"},
      {"not UTF-8", "a = 1\nb = \"\xff\"", "2:6+1"},
      {"a NUL byte", std::string("a = 1\n b\0", 9), "2:3+1"},
      {"a syntax error: the word", "[engine]\nqueues = auto # all", "2:10+4"},
      {"a syntax error at the end of a line", "[engine]\nqueues =", "2:9+1"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.remark);
    CHECK(places(row.text) == row.want);
  }
}

TEST_CASE("a byte order mark is not shown") {
  CHECK(diagnose("\xef\xbb\xbfquues = 2").front().source == "quues = 2");
}

TEST_CASE("one cause is one message") {
  const struct {
    std::string_view remark;
    std::string text;
    std::string_view want;  // of the one message
  } kCases[] = {
      {"the family of a server that could not be read",
       "[group.web]\nservers = [{ name = \"a\", address = \"2001::x\" }]\n"
       "[table.main]\nroutes = [{ prefix = \"::/0\", group = \"web\" }]",
       "`2001::x` is not an IPv4 or IPv6 address"},
      {"a group whose servers are misspelled has some",
       "[group.web]\nserver = []\n[table.main]\nroutes = [{ prefix = \"::/0\", group = \"web\" }]",
       "unknown key `server` in group.web"},
      {"a group with a bad name can be referred to",
       "[group.Web]\n" + kServers + "[[policy]]\nname = \"p\"\ngroup = \"Web\"",
       "`Web` is not a name for a group"},
      {"a route that could not be read is no duplicate of another",
       "[group.web]\n" + kServers +
           "[table.main]\nroutes = [{ prefix = \"x\", group = \"web\" }, { prefix = \"0.0.0.0/0\", "
           "group = \"web\" }]",
       "`x` is not a prefix such as 10.0.0.0/8"},
      {"what a line with a syntax error says is not missing",
       "[group.web]\nservers = [\n{ name = \"a\", address = 10.2.0.1 },\n]\n"
       "[[policy]]\nname = \"p\"\ngroup = \"web\"",
       "syntax error in floating-point: expected decimal digit or exponent, saw '.'"},
      {"nor is a key", "[[policy]]\nname = p\naction = \"drop\"",
       "syntax error in value: could not determine value type"},
      {"nor is a header with more in its line left out", "[engine] queues\nhooks = \"output\"",
       "syntax error in table header: expected a comment or whitespace, saw 'q'"},
      {"nor is what follows a broken header known to be in the wrong place",
       "[engine\nqueues = 2\n[group.web]\nsnat = 1",
       "syntax error in table header: expected ']', saw '\\n'"},
      {"nor the rest of a list that was not closed", "[group.web]\nservers = [ { name = \"a\"\n]\n",
       "syntax error in inline table: expected key or closing '}', saw '\\n'"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.remark);
    const auto diagnostics = diagnose(row.text);
    CHECK(diagnostics.size() == 1);
    CHECK(diagnostics.front().message == row.want);
  }
}

TEST_CASE("a syntax error hides neither the next one nor wrong values") {
  CHECK(places("[engine]\nqueues = auto\nqueue_length = 1\ncopy_bytes = \"x\nquues = 1\n") ==
        "2:10+4 3:16+1 4:16+1 5:1+5");
  CHECK(places("[engine]\nqueues = 1\nqueues = 2\nhooks = 1\n") == "3:10+1 4:9+1");
}

TEST_CASE("what is wrong beside a reference to nothing is said at once") {
  const std::string text = "[group.web]\nsnat = 1\n" + kServers +
                           "[table.main]\nroutes = [{ prefix = \"::/0\", group = \"web\" }]\n";
  CHECK(places(text) == "2:8+1 5:38+5");
}
