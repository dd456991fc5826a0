// What values of one field no rule tells apart: classes, numbered from zero. The
// class of a number is the elementary interval it lies in, the class of an
// address the longest prefix of any rule that contains it. Constant once made.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "nfsteer/base/address.hpp"
#include "nfsteer/base/lpm.hpp"

namespace nfsteer {

// The intervals between ascending numbers. Ports are looked up by page, of 256
// numbers: the interval at its begin, and how many more begin in it up to the
// number. Pages in which none begins share their numbers, zeros: two short reads
// that stay near. Larger numbers are searched.
class NumberClasses {
 public:
  NumberClasses() : NumberClasses(std::vector<std::uint32_t>{}) {}
  // Each interval but the first begins with one of `starts`, in any order; the
  // first begins with zero.
  explicit NumberClasses(std::vector<std::uint32_t> starts);

  std::uint32_t find(std::uint32_t number) const noexcept {
    if (pages_.empty()) return search(number);
    const std::size_t known = std::min(number, kPorts);
    const Page page = pages_.data()[known / kPageNumbers];
    return page.first + begun_.data()[page.place + known % kPageNumbers];
  }
  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(starts_.size()); }
  std::size_t bytes() const noexcept;

 private:
  static constexpr std::uint32_t kPorts = 65'536;
  static constexpr std::uint32_t kPageNumbers = 256;
  struct Page {
    std::uint32_t first = 0;  // the interval at its begin
    std::uint32_t place = 0;  // in begun_
  };

  void make_pages();
  std::uint32_t search(std::uint32_t number) const noexcept;

  std::vector<std::uint32_t> starts_;  // ascending, from zero
  std::vector<Page> pages_;            // of all ports, and one of what is above them
  std::vector<std::uint8_t> begun_;
};

// Prefixes and which lies in which. Node 0, the root, is what contains all.
class PrefixTree {
 public:
  static constexpr std::uint32_t kRoot = 0;

  PrefixTree() : PrefixTree(std::span<const Prefix>{}) {}
  // Node i + 1 is prefix i. REQUIRES: ascending, no prefix twice
  explicit PrefixTree(std::span<const Prefix> sorted);

  // The node of the longest prefix that contains the address, or the root.
  std::uint32_t find(const Address& address) const noexcept {
    const bool is_v4 = address.family == Family::V4;
    const std::uint32_t node = is_v4 ? v4_.find(key4(address)) : v6_.find(key6(address));
    return node == kNone ? kRoot : node;
  }
  // A parent's number is below those of its children.
  std::uint32_t parent(std::uint32_t node) const noexcept { return parents_.data()[node]; }
  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(parents_.size()); }
  std::size_t bytes() const noexcept;

 private:
  static constexpr std::uint32_t kNone = Lpm<std::uint32_t>::kNone;

  Lpm<std::uint32_t> v4_;
  Lpm<Key128> v6_;
  std::vector<std::uint32_t> parents_;  // by node
};

// The tree of all the prefixes, and the node of each.
struct PrefixNodes {
  PrefixTree tree;
  std::vector<std::uint32_t> nodes;  // as `prefixes`
};
PrefixNodes make_tree(std::span<const Prefix> prefixes);

}  // namespace nfsteer
