// Seats for weights.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace nfsteer {

// So many seats in all, in the ratio of the weights, by largest remainder; of equal
// remainders the first. Whoever has a weight has a seat at least.
// REQUIRES: a weight above 0, and as many seats as such weights
std::vector<std::uint32_t> apportion(std::span<const std::uint32_t> weights, std::uint32_t seats);

}  // namespace nfsteer
