// Rules files as text in tests, and the files that they name.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "nfsteer/config.hpp"

namespace nfsteer::testing {

// The first message, or "" where the text is accepted.
inline std::string first_message(const std::string& text, const std::string& file = "test.toml") {
  const LoadResult result = parse_config(text, file);
  const auto* diagnostics = std::get_if<std::vector<Diagnostic>>(&result);
  if (!diagnostics) return "";
  REQUIRE(!diagnostics->empty());
  CHECK(diagnostics->size() == 1);
  return diagnostics->front().message;
}

inline Config accepted(const std::string& text, const std::string& file = "test.toml") {
  LoadResult result = parse_config(text, file);
  REQUIRE_MESSAGE(std::holds_alternative<Config>(result),
                  render(std::get<std::vector<Diagnostic>>(result).front()));
  return std::get<Config>(std::move(result));
}

struct Case {
  std::string (*file)(std::string_view);  // makes a rules file of the text
  std::string_view text;
  std::string_view want;  // a part of the message; "": accepted
};

template <std::size_t N>
void check_all(const Case (&cases)[N], const std::string& file = "test.toml") {
  for (const Case& row : cases) {
    CAPTURE(row.text);
    CAPTURE(row.want);
    const std::string got = first_message(row.file(row.text), file);
    CAPTURE(got);
    CHECK((row.want.empty() ? got.empty() : got.find(row.want) != std::string::npos));
  }
}

// A folder for a rules file and what it names. Goes with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = std::filesystem::temp_directory_path() / "nfsteer-test-XXXXXX";
    REQUIRE(mkdtemp(name.data()));
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  void write(const std::string& name, std::string_view contents) const {
    std::ofstream(path_ / name, std::ios::binary) << contents;
  }
  std::string operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace nfsteer::testing
