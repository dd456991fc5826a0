#include <algorithm>

#include "field.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  const auto number = parse_number(text);
  if (!number || *number > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

}  // namespace

Result<Interval> parse_port_interval(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = parse_port(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1));
  if (!first || !last)
    return fail(format("`{}` is not a port or a range of ports: 0 to 65535", printable(text)));
  if (*first > *last)
    return fail(format("the range `{}` runs backward: {}-{}", printable(text), *last, *first));
  return Interval{*first, *last};
}

std::span<const Field> fields() noexcept {
  static const Field kFields[] = {
#define CRITERION(key) k_##key,
#include "criteria.def"
#undef CRITERION
  };
  return kFields;
}

const Field* find_field(std::string_view name) noexcept {
  const auto all = fields();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Field& field) { return field.name == name; });
  return found == all.end() ? nullptr : &*found;
}

Result<void> Criterion::add(std::string_view value) {
  if (field->address) {
    auto prefix = parse_prefix(value);
    if (!prefix) return tl::unexpected(std::move(prefix.error()));
    prefixes.push_back(*prefix);
  } else {
    auto interval = field->parse_interval(value);
    if (!interval) return tl::unexpected(std::move(interval.error()));
    intervals.push_back(*interval);
  }
  return {};
}

bool Criterion::matches(const Flow& flow) const noexcept {
  if (field->address) {
    const Address& address = field->address(flow);
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](const Prefix& prefix) { return prefix.contains(address); });
  }
  const auto number = field->number(flow);
  return number && std::any_of(intervals.begin(), intervals.end(), [&](const Interval& interval) {
           return interval.first <= *number && *number <= interval.last;
         });
}

}  // namespace nfsteer
