#include <algorithm>

#include "nfsteer/steering.hpp"

namespace nfsteer {

InterfaceNames::InterfaceNames(std::span<const std::pair<std::uint32_t, std::string>> interfaces) {
  for (const auto& [index, name] : interfaces) keys_.emplace_back(index, interface_key(name));
  std::sort(keys_.begin(), keys_.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
}

InterfaceKey InterfaceNames::find(std::uint32_t index) const noexcept {
  const auto found =
      std::lower_bound(keys_.begin(), keys_.end(), index,
                       [](const auto& each, std::uint32_t wanted) { return each.first < wanted; });
  return found != keys_.end() && found->first == index ? found->second : kNoInterface;
}

}  // namespace nfsteer
