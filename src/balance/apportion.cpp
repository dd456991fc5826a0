#include "apportion.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace nfsteer {

std::vector<std::uint32_t> apportion(std::span<const std::uint32_t> weights, std::uint32_t seats) {
  const std::uint64_t sum = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
  std::vector<std::uint32_t> given;
  std::vector<std::pair<std::uint64_t, std::size_t>> remainders;
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::uint64_t scaled = std::uint64_t{weights[i]} * seats;
    const auto whole = static_cast<std::uint32_t>(scaled / sum);
    if (whole > 0) remainders.emplace_back(scaled % sum, i);
    given.push_back(weights[i] > 0 ? std::max(whole, 1u) : 0);
    all += given[i];
  }
  std::stable_sort(remainders.begin(), remainders.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (std::size_t k = 0; all < seats; ++k, ++all) ++given[remainders[k].second];
  // The seats that the lightest have beyond their due the heaviest give.
  for (; all > seats; --all) --*std::max_element(given.begin(), given.end());
  return given;
}

}  // namespace nfsteer
