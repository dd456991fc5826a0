#include "engine/state_file.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "fake_control.hpp"

using namespace nfsteer;

namespace {

EngineState sample() {
  EngineState state;
  state.overrides.servers["web/web1"] = {ServerState::Drain, test::moment("2026-11-27T22:10:00Z"),
                                         WeightOverride{50, true}};
  state.overrides.servers["web/web2"] = {std::nullopt, std::nullopt, WeightOverride{7, false}};
  state.overrides.algorithms["web"] = "hash";
  state.checks["tcp 10.2.0.1:80"] = true;
  state.checks["tcp 10.2.0.2:80"] = false;
  return state;
}

std::string problem(const std::string& text) {
  const auto state = parse_engine_state(text);
  return state ? std::string() : state.error().message;
}

}  // namespace

TEST_CASE("engine state: read back as it was written") {
  CHECK(parse_engine_state(to_text(sample())).value() == sample());
  CHECK(parse_engine_state(to_text({})).value() == EngineState());
}

TEST_CASE("engine state: what is none is refused, with the reason") {
  struct Case {
    const char* text;
    const char* problem;
  };
  static constexpr Case kCases[] = {
      {"", "not JSON"},
      {"[]", ""},
      {"{}", "schema"},
      {R"({"schema": 2})", "it is of schema 2, and this program reads 1"},
      {R"({"schema": "1"})", ""},
      {R"({"schema": 1})", "servers"},
      {R"({"schema": 1, "servers": {"a/b": {"state": "dead"}}, "algorithms": {}, "checks": {}})",
       "server a/b: `dead` is no state"},
      {R"({"schema": 1, "servers": {"a/b": {"state": 1}}, "algorithms": {}, "checks": {}})",
       "`state` is not a string"},
      {R"({"schema": 1, "servers": {"a/b": {"weight": "0"}}, "algorithms": {}, "checks": {}})",
       "`0` is no weight"},
      {R"({"schema": 1, "servers": {"a/b": {"since": "today"}}, "algorithms": {}, "checks": {}})",
       "server a/b"},
      {R"({"schema": 1, "servers": {}, "algorithms": {"web": 1}, "checks": {}})", ""},
      {R"({"schema": 1, "servers": {}, "algorithms": {}, "checks": {"a": "up"}})", ""},
  };
  for (const Case& one : kCases) {
    CAPTURE(std::string(one.text));
    const std::string got = problem(one.text);
    CHECK(!got.empty());
    CHECK_MESSAGE(got.find(one.problem) != std::string::npos, got);
  }
}

TEST_CASE("state file: none, kept, replaced, damaged") {
  const test::TemporaryDirectory directory;
  const StateFile file(directory.file("state"));
  CHECK(file.load().value() == EngineState());
  REQUIRE(file.save(to_text(sample())));
  CHECK(file.load().value() == sample());
  REQUIRE(file.save(to_text({})));
  CHECK(file.load().value() == EngineState());

  std::ofstream(directory.file("state/state.json")) << R"({"schema": 1, "serv)";
  CHECK(file.load().error().message.find("state.json: not JSON") != std::string::npos);
  std::filesystem::remove(directory.file("state/state.json"));
  std::filesystem::create_directory(directory.file("state/state.json"));
  CHECK(file.load().error().message.find("not a regular one") != std::string::npos);
  CHECK(!file.save(to_text({})));
}

TEST_CASE("state file: a directory that cannot be written is said") {
  CHECK(!StateFile("/proc/nowhere").save("{}"));
  CHECK(StateFile("/proc/nowhere").load().value() == EngineState());
  const test::TemporaryDirectory directory;
  std::ofstream(directory.file("file")) << "x";
  CHECK(!StateFile(directory.file("file")).save("{}"));
}
