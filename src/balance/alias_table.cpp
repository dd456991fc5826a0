#include "alias_table.hpp"

#include <algorithm>
#include <numeric>

namespace nfsteer {

AliasTable::AliasTable(std::span<const double> weights) : slots_(weights.size()) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<double> left;  // of each number, in slots
  std::vector<std::uint16_t> small, large;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const auto number = static_cast<std::uint16_t>(i);
    slots_[i].own = slots_[i].other = number;
    left.push_back(weights[i] / sum * static_cast<double>(weights.size()));
    (left[i] < 1 ? small : large).push_back(number);
  }
  // What a small one leaves of its slot a large one fills. Where rounding leaves
  // over the last of either, its slot is its own.
  while (!small.empty() && !large.empty()) {
    const std::uint16_t number = small.back(), filler = large.back();
    small.pop_back();
    slots_[number].divide = static_cast<std::uint32_t>(std::min(left[number], 1.0) * 0xffff'ffff);
    slots_[number].other = filler;
    left[filler] -= 1 - left[number];
    if (left[filler] >= 1) continue;
    large.pop_back();
    small.push_back(filler);
  }
}

}  // namespace nfsteer
