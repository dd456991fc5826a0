// Numbers that look random, made of numbers that do not.
#pragma once

#include <cstdint>

namespace nfsteer {

// Spreads what differs in any bits over all of them; no two numbers become one:
// the last step of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom
// number generators", 2014).
constexpr std::uint64_t mix(std::uint64_t bits) noexcept {
  bits = (bits ^ bits >> 30) * 0xbf58'476d'1ce4'e5b9;
  bits = (bits ^ bits >> 27) * 0x94d0'49bb'1331'11eb;
  return bits ^ bits >> 31;
}

// 2^64 / phi: multiples of it are far from one another. mix(n * kGolden) for
// n = 0, 1, 2 ... is SplitMix64's sequence.
inline constexpr std::uint64_t kGolden = 0x9e37'79b9'7f4a'7c15;

// The number as one above 0 and at most 1, all equally likely.
constexpr double uniform(std::uint64_t random) noexcept {
  return static_cast<double>((random >> 11) + 1) * 0x1p-53;
}

}  // namespace nfsteer
