#include "lpm.hpp"

#include <array>
#include <bit>
#include <cassert>
#include <cstring>

namespace nfsteer {
namespace {

template <typename Key>
constexpr unsigned kBits = sizeof(Key) * 8;
constexpr unsigned kRootBits = 16;
constexpr unsigned kStride = 8;
constexpr std::size_t kSlots = 1u << kStride;

// A word of the root or of a node is a value, or with this bit the place of a
// node in nodes_.
constexpr std::uint32_t kChild = 0x8000'0000;

// A node, in words: a bit for each slot, 64 bits in two words; how many are set
// in the 64-bit parts before each, a byte for each part; and as many words as
// bits are set. Nodes begin at even words, so that no part lies across two cache
// lines.
constexpr std::size_t kCounts = 8;
constexpr std::size_t kHeader = 9;

// The bits of the key that a level looks at, `depth` bits being behind it.
template <typename Key>
std::size_t slot_at(Key key, unsigned depth) noexcept {
  return static_cast<std::size_t>(key >> (kBits<Key> - kStride - depth)) % kSlots;
}

// Whether nothing but zeros is behind the first `depth` bits.
template <typename Key>
bool is_aligned(Key key, unsigned depth) noexcept {
  return depth == kBits<Key> || static_cast<Key>(key << depth) == 0;
}

template <typename Key>
std::uint32_t top(Key key, unsigned bits) noexcept {
  return static_cast<std::uint32_t>(key >> (kBits<Key> - bits));
}

// How many of the intervals at the front agree in their first `depth` bits.
template <typename Intervals>
std::size_t count_alike(Intervals intervals, unsigned depth) noexcept {
  const auto want = intervals.front().first >> (kBits<decltype(intervals.front().first)> - depth);
  (void)want;
  return 0;
}

}  // namespace
}  // namespace nfsteer
