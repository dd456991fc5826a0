#include "nfsteer/base/text.hpp"
#include "nfsteer/steering.hpp"

namespace nfsteer {

Result<WeightOverride> parse_weight_override(std::string_view text) {
  const bool is_percent = text.ends_with('%');
  const auto value = parse_number(is_percent ? text.substr(0, text.size() - 1) : text);
  const std::uint32_t most = is_percent ? kWeightPercentMax : kWeightMax;
  if (!value || *value < 1 || *value > most)
    return fail(format("`{}` is no weight: it is {} to {}, or 1% to {}%{}", printable(text),
                       kWeightMin, kWeightMax, kWeightPercentMax,
                       value && *value == 0 ? "; to take a server out, drain it" : ""));
  return WeightOverride{static_cast<std::uint32_t>(*value), is_percent};
}

std::string to_string(const WeightOverride& weight) {
  return format("{}{}", weight.value, weight.is_percent ? "%" : "");
}

}  // namespace nfsteer
