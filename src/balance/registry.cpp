#include "registry.hpp"

#include <algorithm>

namespace nfsteer {

std::span<const Algorithm> algorithms() noexcept {
  static constexpr Algorithm kAlgorithms[] = {
#define BALANCER(name, make, hashes, summary) {name, summary, Algorithm::Hashes::hashes, make},
#include "balancers.def"
#undef BALANCER
  };
  return kAlgorithms;
}

const Algorithm* find_algorithm(std::string_view name) noexcept {
  const auto all = algorithms();
  const auto found = std::find_if(
      all.begin(), all.end(), [&](const Algorithm& algorithm) { return algorithm.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace nfsteer
