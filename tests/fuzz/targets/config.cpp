// A rules file of any bytes: a Config that compiles, or mistakes at places that the
// file has.
#include <algorithm>

#include "../fuzz.hpp"
#include "nfsteer/config.hpp"
#include "nfsteer/netlink.hpp"

using namespace nfsteer;

namespace {

// Files that a text names are looked for where there are none; it cannot name others.
constexpr const char* kFile = "/nonexistent/rules.toml";

bool names_other_files(std::string_view text) {
  const bool names_files = text.find("files") != text.npos || text.find("country") != text.npos;
  return names_files && (text.find("\"/") != text.npos || text.find("'/") != text.npos ||
                         text.find("..") != text.npos || text.find('\\') != text.npos);
}

// Nothing moves the cursor, or the text.
bool is_shown_safely(std::string_view text) {
  constexpr std::string_view kRightToLeft = "\u202e", kNextLine = "\u0085";
  if (text.find(kRightToLeft) != text.npos || text.find(kNextLine) != text.npos) return false;
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0x7f || (byte < 0x20 && c != '\n');
  });
}

void check(const std::vector<Diagnostic>& diagnostics, std::string_view text) {
  FUZZ_CHECK(!diagnostics.empty() && diagnostics.size() <= kDiagnosticsMax + 1);
  const auto lines = 1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  for (const Diagnostic& each : diagnostics) {
    FUZZ_CHECK(!each.message.empty());
    FUZZ_CHECK(each.line <= lines && each.column <= text.size() + 1);
    const std::string shown = render(each);
    FUZZ_CHECK(is_shown_safely(shown));
    FUZZ_CHECK(each.line == 0 || shown.find('^') != shown.npos);
  }
}

// What would take seconds, or gigabytes, is as good with less of it.
bool is_small(const Config& config) {
  return std::all_of(config.groups.begin(), config.groups.end(), [](const GroupConfig& group) {
    std::uint64_t weights = 0;
    for (const ServerConfig& server : group.servers) weights += server.weight;
    return weights < 1'000 && (!group.affinity || group.affinity->max < 10'000);
  });
}

void compile_and_run(const Config& config) {
  FUZZ_CHECK(validate(config).empty());
  static GroupStates states;
  const auto snapshot = compile(config, states);
  const Time time(std::chrono::seconds(1'800'000'000));
  const Situation situation = situation_at(*snapshot, time);
  FUZZ_CHECK(next_activity(*snapshot, time) > time);
  Flow flow;
  flow.tuple = {Address::v4(0xc000'0207), Address::v4(0x0a09'0909), 40'000, 80, protocol::kTcp};
  flow.has_ports = true;
  (void)decide(*snapshot, situation, flow);
  FUZZ_CHECK(!netlink::to_nft(netlink::make_ruleset(*snapshot, situation)).empty());
}

}  // namespace

FUZZ_TARGET(config) {
  const std::string_view text = fuzz::text_of(input);
  if (names_other_files(text)) return;
  const LoadResult result = parse_config(text, kFile);
  if (const auto* diagnostics = std::get_if<std::vector<Diagnostic>>(&result))
    check(*diagnostics, text);
  else if (const Config& config = std::get<Config>(result); is_small(config))
    compile_and_run(config);
}
