// replay and plan: what is wrong, and the exit code. What they print is in tests/replay.
#include <doctest/doctest.h>

#include "../engine/fake_control.hpp"
#include "../replay/pcap_file.hpp"
#include "run_cli.hpp"

namespace nfsteer {
namespace {

using test::kRules;
using test::run_cli;
using test::write_file;

// Files of all kinds, by their names in the tables below.
struct Files {
  test::TemporaryDirectory directory;

  Files() {
    write("good", kRules);
    write("other", std::string(kRules) + "[[policy]]\nname = \"all\"\naction = \"drop\"\n");
    write("bad", "[grop.web]\n");
    write("failing", std::string(kRules) +
                         "[[expect]]\nflow = \"tcp 192.0.2.7:1 10.9.9.9:22\"\naction = \"drop\"\n");
    write("capture", testing::udp_capture(3));
    write("cut", testing::udp_capture(3).substr(0, 100));
    write("text", "no capture");
  }
  void write(const std::string& name, const std::string& text) {
    write_file(directory.file(name), text);
  }
  // The words with the files' paths.
  std::vector<std::string> paths(std::vector<std::string> words) const {
    for (std::string& word : words)
      if (word[0] != '-' && word != "replay" && word != "plan") word = directory.file(word);
    return words;
  }
};

TEST_CASE("replay and plan: exit codes, and what is said") {
  const Files files;
  const struct {
    std::vector<std::string> words;
    Exit exit;
    const char* said;  // on stderr
  } cases[] = {
      {{"replay", "-c", "good", "capture"}, Exit::Ok, ""},
      {{"replay", "-c", "good", "--against", "good", "capture"}, Exit::Ok, ""},
      {{"replay", "-c", "good", "--against", "other", "capture"}, Exit::Differs, ""},
      {{"replay", "-c", "good", "--against", "other", "--json", "capture"}, Exit::Differs, ""},
      {{"replay", "-c", "good", "--against", "other", "--json", "--flows", "capture"},
       Exit::Differs,
       ""},
      {{"replay", "-c", "good", "cut"}, Exit::Failed, "cannot be read further"},
      {{"replay", "-c", "good", "--against", "other", "cut"}, Exit::Failed, "read further"},
      {{"replay", "-c", "good", "text"}, Exit::Failed, "is no capture"},
      {{"replay", "-c", "good", "none"}, Exit::Failed, "No such file"},
      {{"replay", "-c", "bad", "capture"}, Exit::ConfigInvalid, "unknown key `grop`"},
      {{"replay", "-c", "none", "capture"}, Exit::ConfigInvalid, "No such file"},
      {{"replay", "-c", "failing", "capture"}, Exit::ConfigInvalid, "expected action `drop`"},
      {{"replay", "-c", "good", "--against", "bad", "capture"}, Exit::ConfigInvalid, "`grop`"},
      {{"replay", "capture"}, Exit::Usage, "--config is required"},
      {{"replay", "-c", "good"}, Exit::Usage, "CAPTURE is required"},
      {{"replay", "-c", "good", "capture", "capture"}, Exit::Usage, "not expected"},
      {{"replay", "-c", "-", "-"}, Exit::Usage, "standard input can be one of the files only"},
      {{"replay", "-c", "good", "--against", "-", "-"}, Exit::Usage, "one of the files only"},
      {{"plan", "-c", "good", "good"}, Exit::Ok, ""},
      {{"plan", "-c", "good", "other"}, Exit::Differs, ""},
      {{"plan", "-c", "good", "--json", "other"}, Exit::Differs, ""},
      {{"plan", "-c", "bad", "good"}, Exit::ConfigInvalid, "unknown key `grop`"},
      {{"plan", "-c", "good", "failing"}, Exit::ConfigInvalid, "expected action `drop`"},
      {{"plan", "good"}, Exit::Usage, "--config is required"},
      {{"plan", "-c", "good"}, Exit::Usage, "FILE is required"},
      {{"plan", "-c", "-", "-"}, Exit::Usage, "one of the files only"},
  };
  for (const auto& row : cases) {
    std::string line;
    for (const std::string& word : row.words) line += word + ' ';
    CAPTURE(line);
    const test::Outcome done = run_cli(files.paths(row.words));
    CAPTURE(done.err);
    const auto says = [&](const char* part) { return done.err.find(part) != done.err.npos; };
    CHECK(done.exit == row.exit);
    CHECK((row.said[0] == 0 ? done.err.empty() : says(row.said)));
    CHECK(done.out.empty() == (done.exit == Exit::Usage || done.exit == Exit::ConfigInvalid ||
                               says("is no capture") || says("No such file")));
  }
}

TEST_CASE("replay: a full disk is a failure, with a long listing too") {
  Files files;
  files.write("long", testing::udp_capture(3'000));
  const auto full = [] { return Fd(::open("/dev/full", O_WRONLY | O_CLOEXEC)); };
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"replay", "-c", "good", "long"},
           {"replay", "-c", "good", "--flows", "long"},
           {"replay", "-c", "good", "--against", "other", "--flows", "--json", "long"},
           {"plan", "-c", "good", "other"}}) {
    const auto [exit, out, err] = run_cli(files.paths(words), full());
    CHECK(exit == Exit::Failed);
    CHECK(err == "nfsteer: the result cannot be written: No space left on device\n");
  }
}

TEST_CASE("explain: answers of a file whose expectations fail, too") {
  const Files files;
  CHECK(run_cli({"check", files.directory.file("failing")}).exit == Exit::ConfigInvalid);
  const auto [exit, out, err] =
      run_cli({"explain", "-c", files.directory.file("failing"), "tcp 192.0.2.7:1 10.9.9.9:22"});
  CHECK(exit == Exit::Ok);
  CHECK(out.find("answer  accept") != out.npos);
}

}  // namespace
}  // namespace nfsteer
