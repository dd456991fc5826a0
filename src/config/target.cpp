#include "target.hpp"

#include <algorithm>

#include "reader.hpp"

namespace nfsteer {
namespace {

constexpr std::array<Action, kActionWords.size()> kActions{Action::Accept, Action::Drop,
                                                           Action::Reject};

}  // namespace

std::optional<Action> find_action(std::string_view word) noexcept {
  const auto found = std::find(kActionWords.begin(), kActionWords.end(), word);
  if (found == kActionWords.end()) return std::nullopt;
  return kActions[static_cast<std::size_t>(found - kActionWords.begin())];
}

std::optional<Action> read_action(const Node& node, Report& report) {
  const auto word = read_word(node, kActionWords, report);
  return word ? std::optional(kActions[*word]) : std::nullopt;
}

}  // namespace nfsteer
