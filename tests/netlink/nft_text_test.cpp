#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "nfsteer/netlink.hpp"
#include "samples.hpp"

using namespace nfsteer;
using namespace nfsteer::netlink;

namespace {

std::string read(const std::string& path) {
  std::ifstream file(NFSTEER_SOURCE_DIR "/" + path);
  REQUIRE_MESSAGE(file.good(), path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The line of the chain that begins so, or "".
std::string line(const std::string& text, const std::string& beginning) {
  const std::size_t at = text.find("\n\t\t" + beginning);
  if (at == std::string::npos) return {};
  return text.substr(at + 3, text.find('\n', at + 1) - at - 3);
}

}  // namespace

TEST_CASE("to_nft: the whole table") {
  CHECK(to_nft(testing::both_hooks_sample()) == read("tests/netlink/sample.nft"));
}

TEST_CASE("to_nft: the drop-in is the table without servers") {
  CHECK(to_nft(Ruleset{}) == read("rules/nfsteer.nft"));
}

TEST_CASE("to_nft: queues") {
  const struct {
    std::uint16_t first, count;
    bool bypass;
    const char* want;
  } cases[] = {
      {0, 1, true, "ip daddr @scope4 queue flags bypass to 0"},
      {0, 2, true, "ip daddr @scope4 queue flags bypass to 0-1"},
      {9, 4, false, "ip daddr @scope4 queue to 9-12"},
      {65535, 1, false, "ip daddr @scope4 queue to 65535"},
  };
  for (const auto& each : cases) {
    Ruleset ruleset;
    ruleset.queue_first = each.first;
    ruleset.queue_count = each.count;
    ruleset.bypass = each.bypass;
    CHECK(line(to_nft(ruleset), "ip daddr @scope4") == each.want);
  }
}

TEST_CASE("to_nft: chains of a hook are there only where the hook is") {
  for (const bool prerouting : {false, true})
    for (const bool output : {false, true}) {
      Ruleset ruleset;
      ruleset.prerouting = prerouting;
      ruleset.output = output;
      const std::string text = to_nft(ruleset);
      for (const char* chain : {"steer", "keep", "rewrite"}) {
        CHECK((text.find(std::string("chain ") + chain + " {\n") != text.npos) == prerouting);
        CHECK((text.find(std::string("chain ") + chain + "_local {\n") != text.npos) == output);
      }
      CHECK((text.find("chain hairpin {\n") != text.npos) == prerouting);
      CHECK(text.find("chain source {\n") != text.npos);
    }
}

TEST_CASE("to_nft: only our bits of a mark are changed") {
  Ruleset ruleset = testing::sample();
  ruleset.mark.mask = 0x00000ff0;
  const std::string text = to_nft(ruleset);
  CHECK(text.find("ct mark set ct mark & 0xfffff00f | 0x00000010") != text.npos);
  CHECK(text.find("ct mark set ct mark & 0xfffff00f | 0x00000ff0") != text.npos);
  CHECK(text.find("meta mark set meta mark & 0xfffff00f\n") != text.npos);
  CHECK(text.find("0x00000fe0 : goto refuse") != text.npos);
}
