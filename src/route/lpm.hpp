// Longest-prefix match: from an address to the value of the longest prefix that
// contains it. For tables that are built whole and then only read.
//
// The prefixes are flattened to intervals of addresses; neighbours of one value
// become one. Up to kIntervalsMax of them are searched by halving, without a
// branch on what is compared. More are cut into a trie: 65,536 words for the
// first 16 bits, then a node for each 8 bits that still tell addresses apart. A
// node has a bit for each of its 256 slots where something else begins than in
// the slot before, and right behind the bits one word for each that is set: a
// value, or where the child node is. Counting the bits up to a slot finds its
// word. (The lineage: Tree Bitmap, Eatherton, Varghese and Dittia, CCR 34(2),
// 2004; 8-bit strides with counts kept beside the bits, as in CP-Trie and BART.)
//
// One read of the first level, then two a level, mostly of one cache line and
// the next. Memory: 4 bytes for an interval and about 40 for a node; 6 bytes for
// a route of a full IPv4 table, 18 of IPv6. Built in O(n) of sorted prefixes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nfsteer {

// IPv6 addresses as numbers. IPv4 addresses are std::uint32_t.
__extension__ using Key128 = unsigned __int128;

// Constant after construction.
template <typename Key>
class Lpm {
 public:
  // What find() returns where no prefix contains the key. Values are smaller.
  static constexpr std::uint32_t kNone = 0x7fff'ffff;

  struct Entry {
    Key first = 0;  // the prefix; bits behind `length` are zero
    std::uint8_t length = 0;
    std::uint32_t value = 0;
  };

  Lpm() : Lpm(std::span<const Entry>{}) {}
  // Of several entries of one prefix the last wins.
  // REQUIRES: sorted by `first`, then by `length`; every value < kNone
  explicit Lpm(std::span<const Entry> sorted);

  // Any thread; does not allocate.
  std::uint32_t find(Key key) const noexcept;

  // Memory behind this object.
  std::size_t bytes() const noexcept;

 private:
  // What 64 prefixes make at most.
  static constexpr std::size_t kIntervalsMax = 129;

  // From `first` up to the next interval.
  struct Interval {
    Key first;
    std::uint32_t value;
  };
  using Intervals = std::span<const Interval>;

  static std::vector<Interval> flatten(std::span<const Entry> sorted);
  void build_root(Intervals intervals);
  std::uint32_t build_node(Intervals inside, unsigned depth, std::uint32_t value);
  std::uint32_t search(Key key) const noexcept;

  std::vector<Interval> intervals_;   // of a small table; else empty
  std::vector<std::uint32_t> root_;   // a word for each value of the first 16 bits
  std::vector<std::uint32_t> nodes_;  // bits and words of all nodes
};

extern template class Lpm<std::uint32_t>;
extern template class Lpm<Key128>;

}  // namespace nfsteer
