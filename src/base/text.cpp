#include "nfsteer/base/text.hpp"

#include <algorithm>
#include <charconv>

namespace nfsteer {
namespace {

// Levenshtein's distance, with neighbours swapped counted as one edit
// (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last, last(b.size() + 1), current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({last[j] + 1, current[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        current[j] = std::min(current[j], before_last[j - 2] + 1);
    }
    before_last = last;
    last = current;
  }
  return last[b.size()];
}

}  // namespace

std::optional<std::uint64_t> parse_number(std::string_view text) noexcept {
  int base = 10;
  if (text.starts_with("0x")) {
    base = 16;
    text.remove_prefix(2);
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::string> nearest(std::string_view word,
                                   std::span<const std::string_view> candidates) {
  constexpr std::size_t kWordMax = 80;
  if (word.size() > kWordMax) return std::nullopt;
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t longer = std::max(word.size(), candidate.size());
    if (longer - std::min(word.size(), candidate.size()) >= best_distance) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance && distance < longer) {
      best = std::string(candidate);
      best_distance = distance;
    }
  }
  return best;
}

std::string counted(std::uint64_t number, std::string_view singular, std::string_view plural) {
  return format("{} {}", number, number == 1 ? singular : plural);
}

std::string duration_text(std::chrono::milliseconds duration) {
  using std::chrono::milliseconds;
  constexpr std::pair<std::string_view, milliseconds> kUnits[] = {{"d", std::chrono::hours(24)},
                                                                  {"h", std::chrono::hours(1)},
                                                                  {"m", std::chrono::minutes(1)},
                                                                  {"s", std::chrono::seconds(1)},
                                                                  {"ms", milliseconds(1)}};
  const auto* unit = std::find_if(std::begin(kUnits), std::end(kUnits) - 1, [&](const auto& each) {
    return duration != milliseconds(0) && duration % each.second == milliseconds(0);
  });
  return format("{}{}", duration / unit->second, unit->first);
}

std::string printable(std::string_view text, std::size_t limit) {
  std::string result;
  for (const char c : text.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f)
      result += format("\\x{:02x}", byte);
    else
      result += c;
  }
  if (text.size() > limit) result += "...";
  return result;
}

}  // namespace nfsteer
