// The messages of broken rules files, and the rules files that must load.
// tests/check/NAME.toml and the files that it names are broken in the ways that
// NAME.expected has the messages for.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "../geo/mmdb.hpp"
#include "nfsteer/config.hpp"
#include "rules_text.hpp"

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

// The working folder, for as long as it lives.
class WorkingFolder {
 public:
  explicit WorkingFolder(const fs::path& path) : before_(fs::current_path()) {
    fs::current_path(path);
  }
  ~WorkingFolder() { fs::current_path(before_); }
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;

 private:
  fs::path before_;
};

// rules/example.toml with the lines that need a file, and those files.
Config example_with_files() {
  const testing::TemporaryFolder folder;
  std::ifstream example(kSource / "rules/example.toml");
  std::string text;
  for (std::string line; std::getline(example, line); text += '\n')
    text += line.starts_with('#') && !line.starts_with("# ") && line != "#" ? line.substr(1) : line;
  folder.write("example.toml", text);
  folder.write("office.txt", "203.0.113.0/24  # the branch\n");
  folder.write("routes.txt", "10.30.0.0/16 dns 10 2\n10.31.0.0/16 @drop\n");
  folder.write("country.mmdb", testing::write_mmdb({{*parse_prefix("192.0.2.0/24"),
                                                     testing::mmdb::country("DE", "EU", true)}}));
  LoadResult result = load_config(folder / "example.toml");
  REQUIRE_MESSAGE(std::holds_alternative<Config>(result), messages(result));
  return std::get<Config>(std::move(result));
}

}  // namespace

TEST_CASE("broken rules files: the messages of FILE.toml are FILE.expected") {
  const auto files = toml_files(kSource / "tests/check");
  CHECK(files.size() >= 15);
  const WorkingFolder here(kSource / "tests/check");
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

TEST_CASE("rules/example.toml gives the defaults of [engine] and [cache], and names all targets") {
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
  CHECK(config->engine.on_no_route == nothing.engine.on_no_route);
  CHECK(config->cache.entries == nothing.cache.entries);
  CHECK(config->cache.route_entries == nothing.cache.route_entries);
  CHECK(config->cache.timeout_s == nothing.cache.timeout_s);

  std::set<std::size_t> kinds;
  for (const PolicyConfig& policy : config->policies) kinds.insert(policy.target.index());
  CHECK(kinds.size() == std::variant_size_v<PolicyTarget>);
}

TEST_CASE("rules/example.toml has every criterion") {
  const Config config = example_with_files();
  std::set<const Field*> used;
  for (const PolicyConfig& policy : config.policies)
    for (const Match& match : policy.match)
      for (const Criterion& criterion : match) used.insert(criterion.field);
  CHECK(used.size() == fields().size());
}

TEST_CASE("rules/example.toml has every kind of check with every option") {
  Config config = example_with_files();
  for (const CheckKind& kind : check_kinds()) {
    CAPTURE(std::string(kind.name));
    const auto found =
        std::find_if(config.checks.begin(), config.checks.end(),
                     [&](const CheckConfig& check) { return check.kind == kind.name; });
    REQUIRE(found != config.checks.end());
    // What https has of http is shown there.
    for (const CheckOption& option : kind.options)
      CHECK((found->options.contains(option.key) ||
             (found->kind == "https" && option.key != std::string_view("verify"))));
  }
  const CheckConfig shown = *find_named(config.checks, "web"), usual;
  CHECK(shown.interval == usual.interval);
  CHECK(shown.interval_down == usual.interval_down);
  CHECK(shown.timeout == usual.timeout);
  CHECK(shown.rise == usual.rise);
  CHECK(shown.fall == usual.fall);
  CHECK(shown.jitter_percent == usual.jitter_percent);
  CHECK(shown.start == usual.start);
}

TEST_CASE("rules/example.toml with the files that it names") {
  const Config config = example_with_files();
  CHECK(config.sets.front().prefixes.size() == 3);
  CHECK(config.countries->records().size() == 2);
  CHECK(config.country_groups.size() == 2);
  const auto& routes = config.tables.front().routes;
  CHECK(routes[routes.size() - 2] ==
        RouteConfig{*parse_prefix("10.30.0.0/16"), ToGroup{"dns"}, 10, 2});
  CHECK(routes.back() == RouteConfig{*parse_prefix("10.31.0.0/16"), Action::Drop, 0, 1});
}
