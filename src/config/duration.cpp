#include "duration.hpp"

#include <cstdint>
#include <string>
#include <string_view>

#include "nfsteer/base/text.hpp"
#include "nfsteer/config.hpp"
#include "reader.hpp"

namespace nfsteer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr struct Unit {
  std::string_view name;
  milliseconds length;
} kUnits[] = {{"ms", milliseconds(1)},
              {"s", seconds(1)},
              {"m", std::chrono::minutes(1)},
              {"h", std::chrono::hours(1)},
              {"d", std::chrono::hours(24)}};

// The text that was meant, where the unit is all that is missing; or an example.
std::string remedy_for(const Node& node) {
  const std::string number =
      node.kind == Node::Kind::Integer ? format("{}", node.integer) : node.text;
  return parse_number(number) ? format("did you mean \"{}s\"?", number) : "write \"30s\" or \"5m\"";
}

}  // namespace

Result<milliseconds> parse_duration(std::string_view text) {
  constexpr std::uint64_t kCountMax = 1'000'000'000;  // of days: far from overflow
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto count = parse_number(text.substr(0, digits));
  if (count && *count <= kCountMax)
    for (const Unit& unit : kUnits)
      if (text.substr(digits) == unit.name) return static_cast<std::int64_t>(*count) * unit.length;
  return fail(format("`{}` is no duration: write 500ms, 30s, 5m, 2h or 1d", printable(text)));
}

std::optional<milliseconds> read_milliseconds(const Node& node, Report& report) {
  const auto duration = parse_duration(node.kind == Node::Kind::Text ? node.text : "");
  if (duration) return *duration;
  report.value_mistake(
      node, format("`{}` must be a number with its unit, in quotes: ms, s, m, h or d", node.key),
      remedy_for(node));
  return std::nullopt;
}

std::optional<seconds> read_seconds(const Node& node, SecondsRange range, Report& report) {
  const auto duration = read_milliseconds(node, report);
  if (!duration) return std::nullopt;
  const auto whole = std::chrono::duration_cast<seconds>(*duration);
  if (whole == *duration && range.first <= whole && whole <= range.last) return whole;
  report.value_mistake(node, format("`{}` must be {} to {}, in whole seconds", node.key,
                                    duration_text(range.first), duration_text(range.last)));
  return std::nullopt;
}

}  // namespace nfsteer
