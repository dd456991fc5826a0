// The messages of broken rules files, and the rules files that must load.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "nfsteer/config.hpp"

using namespace nfsteer;
namespace fs = std::filesystem;

namespace {

const fs::path kSource = NFSTEER_SOURCE_DIR;

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::set<fs::path> toml_files(const fs::path& folder) {
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".toml") files.insert(entry.path());
  return files;
}

std::string messages(const LoadResult& result) {
  const auto* diagnostics = std::get_if<std::vector<Diagnostic>>(&result);
  if (!diagnostics) return "";
  std::string text;
  for (const Diagnostic& diagnostic : *diagnostics)
    text += (text.empty() ? "" : "\n") + render(diagnostic);
  return text;
}

}  // namespace

TEST_CASE("broken rules files: the messages of FILE.toml are FILE.expected") {
  const auto files = toml_files(kSource / "tests/check");
  CHECK(files.size() >= 10);
  for (const fs::path& path : files) {
    CAPTURE(path);
    fs::path expected = path;
    expected.replace_extension(".expected");
    CHECK(messages(parse_config(contents(path), path.filename())) == contents(expected));
  }
}

TEST_CASE("five mistakes are five messages") {
  const std::string text = contents(kSource / "tests/check/five_mistakes.toml");
  const LoadResult result = parse_config(text, "five_mistakes.toml");
  CHECK(std::get<std::vector<Diagnostic>>(result).size() == 5);
}

TEST_CASE("all files of rules/ load") {
  const auto files = toml_files(kSource / "rules");
  CHECK(files.contains(kSource / "rules/example.toml"));
  for (const fs::path& path : files) {
    CAPTURE(path);
    CHECK(messages(load_config(path)) == "");
  }
}

TEST_CASE("rules/example.toml gives the defaults of [engine] and names all targets") {
  const LoadResult result = load_config(kSource / "rules/example.toml");
  const auto* config = std::get_if<Config>(&result);
  REQUIRE(config);
  const Config nothing = std::get<Config>(parse_config("", "empty.toml"));
  CHECK(config->engine.queue_first == nothing.engine.queue_first);
  CHECK(config->engine.queue_count == nothing.engine.queue_count);
  CHECK(config->engine.hooks == nothing.engine.hooks);
  CHECK(config->engine.mark == nothing.engine.mark);
  CHECK(config->engine.queue_length == nothing.engine.queue_length);
  CHECK(config->engine.copy_bytes == nothing.engine.copy_bytes);
  CHECK(config->engine.bypass == nothing.engine.bypass);
  CHECK(config->engine.on_bad_packet == nothing.engine.on_bad_packet);

  std::set<std::size_t> kinds;
  for (const PolicyConfig& policy : config->policies) kinds.insert(policy.target.index());
  CHECK(kinds.size() == std::variant_size_v<Target>);
}

TEST_CASE("rules/example.toml has every criterion") {
  const LoadResult result = load_config(kSource / "rules/example.toml");
  const auto* config = std::get_if<Config>(&result);
  REQUIRE(config);
  std::set<const Field*> used;
  for (const PolicyConfig& policy : config->policies)
    for (const Criterion& criterion : policy.match) used.insert(criterion.field);
  CHECK(used.size() == fields().size());
}
