// Longest-prefix match: from an address to the value of the longest prefix that
// contains it. For tables that are made whole and then only read.
//
// The prefixes are flattened to intervals of addresses; neighbours of one value
// become one. Few intervals are searched by halving, without a branch on what is
// compared. More are cut into a trie: a word for each value of the first 16
// bits, then a node for each 8 bits that still tell values apart. A node has 256
// slots: a bit for each where something else begins than in the slot before, and
// behind the bits one word for each that is set, a value or where the child node
// is. Counting the bits up to a slot finds its word.
//
// The lineage is Tree Bitmap (Eatherton, Varghese, Dittia: CCR 34(2), 2004), with
// the 8-bit strides and kept counts of CP-Trie and BART. One bitmap instead of
// two, and the words right behind it: a level is two reads close to each other.
// Memory: 40 bytes for a node and 4 for an interval; in all 6 bytes for a route
// of a full IPv4 table, 18 of IPv6. Made in O(n) of the sorted prefixes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "nfsteer/base/address.hpp"

namespace nfsteer {

// An IPv6 address as a number. An IPv4 address is a std::uint32_t.
__extension__ using Key128 = unsigned __int128;

// The address as the key of its family's Lpm.
constexpr std::uint32_t key4(const Address& address) noexcept {
  return static_cast<std::uint32_t>(address.low);
}
constexpr Key128 key6(const Address& address) noexcept {
  return Key128{address.high} << 64 | address.low;
}

// Constant after construction.
template <typename Key>
class Lpm {
 public:
  // What find() returns where no prefix contains the key.
  static constexpr std::uint32_t kNone = 0x7fff'ffff;

  struct Entry {
    Key first = 0;  // the bits behind the first `length` are zero
    std::uint8_t length = 0;
    std::uint32_t value = 0;
  };

  Lpm() : Lpm(std::span<const Entry>{}) {}
  // Of several entries of one prefix the last wins.
  // REQUIRES: sorted by `first`, then by `length`; every value < kNone
  explicit Lpm(std::span<const Entry> sorted);

  // Does not allocate. Any thread.
  std::uint32_t find(Key key) const noexcept;

  // Of memory, beside this object itself.
  std::size_t bytes() const noexcept;

 private:
  // What 64 prefixes make at most.
  static constexpr std::size_t kSearchedMax = 129;

  // From `first` up to the next interval.
  struct Interval {
    Key first;
    std::uint32_t value;
  };
  using Intervals = std::span<const Interval>;
  struct Node;

  static std::vector<Interval> flatten(std::span<const Entry> sorted);
  static Intervals take_alike(Intervals& rest, unsigned depth) noexcept;
  void build_root(Intervals intervals);
  std::uint32_t build_node(Intervals inside, unsigned depth, std::uint32_t value);
  std::uint32_t search(Key key) const noexcept;

  std::vector<Interval> intervals_;   // where they are few; else empty
  std::vector<std::uint32_t> root_;   // by the first 16 bits
  std::vector<std::uint32_t> nodes_;  // one behind the other
};

extern template class Lpm<std::uint32_t>;
extern template class Lpm<Key128>;

}  // namespace nfsteer
