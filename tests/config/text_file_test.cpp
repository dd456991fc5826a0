// Files of routes and of prefixes that a rules file names.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <string>
#include <string_view>
#include <vector>

#include "nfsteer/config.hpp"
#include "rules_text.hpp"

using namespace nfsteer;
using testing::accepted;
using testing::TemporaryFolder;

namespace {

const std::string kGroup = "[group.web]\nservers = [{ name = \"a\", address = \"10.2.0.1\" }]\n";
const std::string kSet = "[set.office]\nfiles = \"f.txt\"\n";
const std::string kTable = kGroup + "[table.main]\nfiles = \"f.txt\"\n";

// What is said of a rules file that names f.txt: "FILE:LINE:COLUMN+WIDTH MESSAGE",
// one a line. The folder's name is left out.
std::string said(const std::string& rules, std::string_view f_txt) {
  const TemporaryFolder folder;
  folder.write("f.txt", f_txt);
  const LoadResult result = parse_config(rules, folder / "rules.toml");
  const auto* diagnostics = std::get_if<std::vector<Diagnostic>>(&result);
  std::string text;
  for (const Diagnostic& d : diagnostics ? *diagnostics : std::vector<Diagnostic>())
    text += d.file.substr((folder / "").size()) + ":" + std::to_string(d.line) + ":" +
            std::to_string(d.column) + "+" + std::to_string(d.width) + " " + d.message + "\n";
  return text;
}

std::string numbered_lines(std::size_t count, const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < count; ++i) result += text + "\n";
  return result;
}

}  // namespace

TEST_CASE("lines of a set") {
  const struct {
    std::string_view text;
    std::string_view want;  // "": accepted
  } kCases[] = {
      {"192.0.2.0/24", ""},
      {"192.0.2.0/24\n2001:db8::/32\n::1\n10.0.0.1\n", ""},
      {"# a comment\n\n \t\n192.0.2.0/24 # another\r\n\t10.0.0.0/8\t#\r\n", ""},
      {"\xef\xbb\xbf"
       "192.0.2.0/24\n",
       ""},
      {"192.0.2.0/24\r\n::1\r\n", ""},
      {"10.0.0.0/8\n10.0.0.0/8\n", ""},  // twice is no more than once
      {"", "rules.toml:1:1+12 set `office` has no prefixes\n"},
      {"# nothing\n", "rules.toml:1:1+12 set `office` has no prefixes\n"},
      {"::1\n 192.0.2.1/24\n",
       "f.txt:2:2+12 `192.0.2.1/24` has host bits set: the network is 192.0.2.0/24\n"},
      {"192.0.2.0/33", "f.txt:1:1+12 the prefix length of `192.0.2.0/33` must be 0 to 32\n"},
      {"\tö # x", "f.txt:1:2+1 `ö` is not a prefix such as 10.0.0.0/8\n"},
      {"ö::1 ::2", "f.txt:1:6+3 a line of a set is one prefix\n"},
      {"::1,::2", "f.txt:1:1+7 `::1,::2` is not a prefix such as 10.0.0.0/8\n"},
      {"!::1",
       "f.txt:1:1+4 `!::1`: a set has no exceptions; write \"!@NAME\" where a policy "
       "names it\n"},
      {"@office", "f.txt:1:1+7 `@office`: a set has prefixes, and no other sets\n"},
      {"x\n::1\ny\n",
       "f.txt:1:1+1 `x` is not a prefix such as 10.0.0.0/8\n"
       "f.txt:3:1+1 `y` is not a prefix such as 10.0.0.0/8\n"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.text);
    CHECK(said(kSet, row.text) == row.want);
  }
}

TEST_CASE("lines of routes") {
  const struct {
    std::string_view text;
    std::string_view want;  // "": accepted
  } kCases[] = {
      {"", ""},
      {"10.0.0.0/8 web", ""},
      {"10.0.0.0/8\tweb  4294967295\t10000 # all\r\n", ""},
      {"10.0.0.0/8 @accept\n10.1.0.0/16 @drop 1\n10.2.0.0/16 @reject 1 2\n", ""},
      {"10.0.0.0/8 web\n10.0.0.0/8 web 1", ""},
      {"10.0.0.0/8", "f.txt:1:1+10 the group is missing\n"},
      {"10.0.0.1/8 web",
       "f.txt:1:1+10 `10.0.0.1/8` has host bits set: the network is 10.0.0.0/8\n"},
      {"web 10.0.0.0/8", "f.txt:1:1+3 `web` is not a prefix such as 10.0.0.0/8\n"},
      {"10.0.0.0/8 @dorp", "f.txt:1:12+5 `@dorp` is not an action\n"},
      {"10.0.0.0/8 @", "f.txt:1:12+1 `@` is not an action\n"},
      {"10.0.0.0/8 web -1",
       "f.txt:1:16+2 the metric must be a whole number from 0 to 4294967295\n"},
      {"10.0.0.0/8 web 4294967296",
       "f.txt:1:16+10 the metric must be a whole number from 0 to 4294967295\n"},
      {"10.0.0.0/8 web 0 0", "f.txt:1:18+1 the weight must be a whole number from 1 to 10000\n"},
      {"10.0.0.0/8 web 0 10001",
       "f.txt:1:18+5 the weight must be a whole number from 1 to 10000\n"},
      {"10.0.0.0/8 web 0 1 and more", "f.txt:1:20+3 this is too much\n"},
      // What only the whole configuration tells.
      {"10.0.0.0/8 web\n\n# wbe\n10.1.0.0/16 wbe\n", "f.txt:4:13+3 group `wbe` does not exist\n"},
      {"10.0.0.0/8 web\n::/0 web\n", "f.txt:2:6+3 group `web` has no IPv6 server for ::/0\n"},
      {"10.0.0.0/8 web 7\n10.0.0.0/8  web 7 2 # again\n",
       "f.txt:2:1+19 the route to 10.0.0.0/8 is there twice\n"},
      {"x web\n10.1.0.0/16 wbe\n",  // the lines that are left out do not count
       "f.txt:1:1+1 `x` is not a prefix such as 10.0.0.0/8\n"
       "f.txt:2:13+3 group `wbe` does not exist\n"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.text);
    CHECK(said(kTable, row.text) == row.want);
  }
}

TEST_CASE("routes of several files follow those of the list, and are counted with them") {
  const TemporaryFolder folder;
  folder.write("a.txt", "10.1.0.0/16 web\n10.2.0.0/16 nil\n");
  folder.write("b.txt", "# b\n10.3.0.0/16 nil\n");
  const LoadResult result =
      parse_config(kGroup +
                       "[table.main]\nfiles = [\"a.txt\", \"b.txt\"]\nroutes = [\n"
                       "{ prefix = 1, group = \"web\" },\n"
                       "{ prefix = \"10.0.0.0/16\", group = \"nil\" }]\n",
                   folder / "rules.toml");
  std::vector<std::pair<std::string, unsigned>> places;
  for (const Diagnostic& d : std::get<std::vector<Diagnostic>>(result))
    places.emplace_back(d.file.substr((folder / "").size()), d.line);
  CHECK(places == std::vector<std::pair<std::string, unsigned>>{
                      {"rules.toml", 6}, {"rules.toml", 7}, {"a.txt", 2}, {"b.txt", 2}});
}

TEST_CASE("a group of which a server could not be read is no measure for lines") {
  CHECK(said("[group.web]\nservers = [{ name = \"a\", address = \"2001::x\" }]\n"
             "[table.main]\nfiles = \"f.txt\"\n",
             "::/0 web\n") == "rules.toml:2:36+9 `2001::x` is not an IPv4 or IPv6 address\n");
}

TEST_CASE("names of files are meant from the folder of the rules file") {
  const TemporaryFolder folder;
  REQUIRE(mkdir((folder / "sets").c_str(), 0700) == 0);
  folder.write("sets/a.txt", "192.0.2.0/24\n");
  folder.write("rules.toml",
               "[set.a]\nfiles = [\"sets/a.txt\", \"./sets/../sets/a.txt\"]\n"
               "[set.b]\nfiles = \"" +
                   (folder / "sets/a.txt") + "\"\n");
  const LoadResult result = load_config(folder / "rules.toml");
  REQUIRE(std::holds_alternative<Config>(result));
  const auto& sets = std::get<Config>(result).sets;
  REQUIRE(sets.size() == 2);
  CHECK(sets[0].prefixes.size() == 2);
  CHECK(sets[1].prefixes == std::vector{Prefix{Address::v4(0xc0000200), 24}});
}

TEST_CASE("files that cannot be read: the message is at their name") {
  const TemporaryFolder folder;
  REQUIRE(mkfifo((folder / "fifo").c_str(), 0600) == 0);  // and nobody writes to it
  folder.write("binary", std::string("::1\n\0::2\n", 9));
  folder.write("latin1", "# M\xfcnchen\n::1\n");
  folder.write("utf16", std::string_view("\xff\xfe:\0:\0"
                                         "1\0",
                                         8));
  folder.write("long", std::string(kTextFileLinesMax + 1, '\n'));
  folder.write("large", "::1\n");
  REQUIRE(truncate((folder / "large").c_str(), kTextFileBytesMax + 1) == 0);
  const struct {
    std::string_view name;
    std::string_view want;
  } kCases[] = {
      {"missing", "cannot open the file: No such file or directory"},
      {"binary/x", "cannot open the file: Not a directory"},
      {".", "the file is not a regular one"},
      {"fifo", "the file is not a regular one"},
      {"/dev/zero", "the file is not a regular one"},
      {"/proc/self/mem", "cannot read the file: Input/output error"},
      {"binary", "the file is not text in UTF-8"},
      {"latin1", "the file is not text in UTF-8"},
      {"utf16", "the file is not text in UTF-8"},
      {"long", "the file has over 10000000 lines"},
      {"large", "the file is over 256 MiB"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.name);
    const LoadResult result =
        parse_config(kGroup + "[table.main]\nfiles = [\n  \"" + std::string(row.name) + "\",\n]\n",
                     folder / "rules.toml");
    const auto& diagnostics = std::get<std::vector<Diagnostic>>(result);
    REQUIRE(diagnostics.size() == 1);
    CHECK(diagnostics.front().message.ends_with(": " + std::string(row.want)));
    CHECK(diagnostics.front().line == 5);
    CHECK(diagnostics.front().column == 3);
    CHECK(diagnostics.front().width == row.name.size() + 2);
  }
}

TEST_CASE("a file of mistakes is not read to its end") {
  const auto count = [](std::size_t lines) {
    const TemporaryFolder folder;
    folder.write("f.txt", numbered_lines(lines, "nonsense"));
    const LoadResult result = parse_config(kSet, folder / "rules.toml");
    return std::get<std::vector<Diagnostic>>(result);
  };
  CHECK(count(kDiagnosticsMax).size() == kDiagnosticsMax);
  const auto many = count(100'000);
  REQUIRE(many.size() == kDiagnosticsMax + 1);
  CHECK(many.back().message == "and at least 1 more");
}

TEST_CASE("a million routes") {
  constexpr std::size_t kRoutes = 1'000'000;
  std::string text;
  for (std::uint32_t i = 0; i < kRoutes; ++i)
    text += to_string(Address::v4(i << 8)) + "/24 web " + std::to_string(i % 100) + "\n";
  const TemporaryFolder folder;
  folder.write("f.txt", text);
  const Config config = accepted(kTable, folder / "rules.toml");
  REQUIRE(config.tables.front().routes.size() == kRoutes);
  CHECK(config.tables.front().routes.back() ==
        RouteConfig{{Address::v4((kRoutes - 1) << 8), 24}, ToGroup{"web"}, 99, 1});

  folder.write("f.txt", text + "10.0.0.1/24 web\n");
  const LoadResult result = parse_config(kTable, folder / "rules.toml");
  const auto& diagnostics = std::get<std::vector<Diagnostic>>(result);
  REQUIRE(diagnostics.size() == 1);
  CHECK(diagnostics.front().line == kRoutes + 1);
  CHECK(diagnostics.front().source == "10.0.0.1/24 web");
}
