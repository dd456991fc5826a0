// Files that are no rules files: all are refused quickly, with a message.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "config/scan.hpp"
#include "nfsteer/base/fd.hpp"
#include "nfsteer/config.hpp"

using namespace nfsteer;
namespace fs = std::filesystem;

namespace {

// A file that is removed again.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& contents) {
    std::string name = fs::temp_directory_path() / "nfsteer-test-XXXXXX";
    const Fd file(mkstemp(name.data()));
    REQUIRE(file);
    path_ = name;
    std::ofstream(path_, std::ios::binary) << contents;
  }
  ~TemporaryFile() { fs::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Standard input from a file, for as long as it lives.
class StandardInput {
 public:
  explicit StandardInput(const fs::path& path) : before_(dup(STDIN_FILENO)) {
    const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(dup2(file.get(), STDIN_FILENO) == STDIN_FILENO);
  }
  ~StandardInput() { before_ ? dup2(before_.get(), STDIN_FILENO) : close(STDIN_FILENO); }
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;

 private:
  Fd before_;
};

std::vector<Diagnostic> diagnostics_of(LoadResult result) {
  REQUIRE(std::holds_alternative<std::vector<Diagnostic>>(result));
  return std::get<std::vector<Diagnostic>>(std::move(result));
}

std::string message_of(const LoadResult& result) {
  const auto diagnostics = diagnostics_of(result);
  REQUIRE(diagnostics.size() == 1);
  return diagnostics.front().message;
}

std::string repeated(const std::string& text, std::size_t count) {
  std::string result;
  result.reserve(text.size() * count);
  for (; count > 0; --count) result += text;
  return result;
}

}  // namespace

TEST_CASE("files that cannot be read") {
  const struct {
    std::string_view path;
    std::string_view want;
  } kCases[] = {
      {"/nonexistent/nfsteer.toml", "cannot open the file: No such file or directory"},
      {"/", "cannot read the file: Is a directory"},
      {"/proc/self/mem", "cannot read the file: Input/output error"},
      {"/dev/zero", "the file is over 64 MiB"},  // has no end
      {"", "cannot open the file: No such file or directory"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.path);
    const auto diagnostics = diagnostics_of(load_config(std::string(row.path)));
    REQUIRE(diagnostics.size() == 1);
    CHECK(diagnostics.front().message == row.want);
    CHECK(diagnostics.front().line == 0);
    CHECK(diagnostics.front().file == row.path);
  }
}

TEST_CASE("the largest file, and one byte more") {
  const std::string largest = "#" + std::string(kRulesFileBytesMax - 1, 'x');
  CHECK(std::holds_alternative<Config>(parse_config(largest, "f.toml")));
  CHECK(message_of(parse_config(largest + "x", "f.toml")) == "the file is over 64 MiB");
  CHECK(std::holds_alternative<Config>(load_config(TemporaryFile(largest).path())));
  CHECK(message_of(load_config(TemporaryFile(largest + "x").path())) == "the file is over 64 MiB");
}

TEST_CASE("- is standard input") {
  const TemporaryFile good("[engine]\nqueues = 3\n"), bad("[engine]\nqueues = 0\n");
  {
    const StandardInput input(good.path());
    const LoadResult result = load_config("-");
    REQUIRE(std::holds_alternative<Config>(result));
    CHECK(std::get<Config>(result).engine.queue_count == 3);
  }
  const StandardInput input(bad.path());
  const auto diagnostics = diagnostics_of(load_config("-"));
  CHECK(diagnostics.front().file == "stdin");
}

TEST_CASE("text that would break a parser") {
  constexpr std::size_t kMany = 100'000;
  const char* const kDeepKey = "a key of more than 16 parts";
  const char* const kDeepValue = "maximum nested value depth";
  const char* const kBinary = "a rules file is UTF-8 text, and this byte is not";
  const struct {
    std::string_view remark;
    std::string text;
    std::string_view want;
  } kCases[] = {
      {"lists in lists", "a = " + repeated("[", kMany), kDeepValue},
      {"tables in tables", "a = " + repeated("{ a = ", kMany), kDeepValue},
      {"a key of many parts", repeated("a.", kMany) + "a = 1", kDeepKey},
      {"of quoted parts, spaces between", repeated("'=' . \"#\\\"\" . ", kMany) + "a = 1",
       kDeepKey},
      {"a header of many parts", "[" + repeated("a.", kMany) + "a]", kDeepKey},
      {"a header in an array of tables", "[[" + repeated("a.", kMany) + "a]]", kDeepKey},
      {"in an inline table", "x = { " + repeated("a.", kMany) + "a = 1 }", kDeepKey},
      {"more values than there can be", "a = [" + repeated("0,", kFileValuesMax) + "]",
       "over 10000000 values"},
      {"behind strings of all kinds",
       "x = [\"\\\"\", '\\', '''\n'\"''', \"\"\"\n\"\\\"\"\"\"\"\"]\n" + repeated("a.", 20) +
           "a = 1",
       kDeepKey},
      {"behind a string that ends in a quote",
       "x = [\"\"\"a\"\"\"\", { " + repeated("a.", 20) + "a = 1 }]", kDeepKey},
      {"binary",
       "\x7f"
       "ELF\x02\x01\x01\x80",
       kBinary},
      {"UTF-16", std::string("\xff\xfe[\0a\0", 6), kBinary},
      {"an overlong form", "a = \"\xc0\xaf\"", kBinary},
      {"a surrogate", "a = \"\xed\xa0\x80\"", kBinary},
      {"past the last character", "a = \"\xf4\x90\x80\x80\"", kBinary},
      {"a character that is cut off", "# \xe2\x82", kBinary},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.remark);
    CHECK(message_of(parse_config(row.text, "f.toml")).find(row.want) != std::string::npos);
  }
}

// A string ends with its line, whatever stands before the end.
TEST_CASE("two million lines that end in a backslash, and in a string that is open") {
  const auto text = "a = " + repeated("\\\"\\\n", 2'000'000);
  CHECK(diagnostics_of(parse_config(text, "f.toml")).size() <= kDiagnosticsMax);
}

TEST_CASE("dots that are no keys") {
  const std::string dots = repeated(".", 1000);
  for (const std::string& text :
       {"# " + dots, "[engine]\nqueues = \"auto\" # \"" + dots,
        "[group.web]\nservers = [{ name = 'a', address = '10.0.0.1' }]\n# " + dots}) {
    CAPTURE(text);
    CHECK(std::holds_alternative<Config>(parse_config(text, "f.toml")));
  }
  CHECK(message_of(parse_config("[group.web]\nalgorithm = '" + dots +
                                    "'\nservers = [{ name = 'a', "
                                    "address = '::1' }]",
                                "f.toml"))
            .starts_with("unknown algorithm"));
}

TEST_CASE("garbage as long as 50,000 servers is refused quickly, with a few messages") {
  constexpr std::size_t kServers = 50'000;
  constexpr double kLimit = 10;  // seconds of processor time; about 0.5 in an optimized build
  const std::string server = "{ naem = \"a\", addres = \"10.0.0.999\", wieght = 0 },";
  const struct {
    std::string_view remark;
    std::string text;
  } kCases[] = {
      {"three mistakes a line",
       "[group.web]\nservers = [\n" + repeated(server + "\n", kServers) + "]"},
      {"all in one line", "[group.web]\nservers = [" + repeated(server, kServers) + "]"},
      {"the same server", "[group.web]\nservers = [\n" +
                              repeated("{ name = \"a\", address = \"::1\" },\n", kServers) + "]"},
      {"syntax", repeated(server + "\n", kServers)},
      {"policies for nothing", repeated("[[policy]]\nname = \"p\"\ngroup = \"g\"\n", kServers)},
      {"never closed", "[group.web]\nservers = [\n" + repeated(server + "\n", kServers)},
      {"one long word", repeated(server, kServers).insert(0, "a = ")},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.remark);
    const std::clock_t start = std::clock();
    const auto diagnostics = diagnostics_of(parse_config(row.text, "f.toml"));
    CHECK(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC < kLimit);
    CHECK(diagnostics.size() <= kDiagnosticsMax + 1);
    for (const Diagnostic& diagnostic : diagnostics) CHECK(render(diagnostic).size() < 2000);
  }
}

TEST_CASE("the messages that are left out are counted") {
  const auto lines = [](std::size_t count) {
    std::string text = "[engine]\n";
    for (std::size_t i = 0; i < count; ++i) text += "unknown" + std::to_string(i) + " = 1\n";
    return diagnostics_of(parse_config(text, "f.toml"));
  };
  CHECK(lines(kDiagnosticsMax).size() == kDiagnosticsMax);
  CHECK(lines(kDiagnosticsMax).back().line == kDiagnosticsMax + 1);
  const auto more = lines(kDiagnosticsMax + 7);
  REQUIRE(more.size() == kDiagnosticsMax + 1);
  CHECK(more.back().message == "and 7 more");
  CHECK(lines(kProblemsMax + 7).back().message == "and at least 9980 more");
  CHECK(more.back().line == 0);
}
