// Ranges of addresses, made of prefixes that overlap.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "nfsteer/base/address.hpp"
#include "nfsteer/netlink.hpp"

namespace nfsteer::netlink {

// The addresses that can be steered: all but multicast and what lies behind it.
struct Steerable {
  Address first, last;
};
constexpr Steerable steerable(Family family) noexcept {
  return family == Family::V4
             ? Steerable{Address::v4(0), Address::v4(0xdfffffff)}
             : Steerable{Address::v6(0, 0), Address::v6(0xfeff'ffff'ffff'ffff, ~std::uint64_t{0})};
}

// What the prefixes, all of one family, cover together of what can be steered:
// ascending, not touching.
std::vector<Ruleset::ScopeRange> cover(const std::vector<Prefix>& prefixes);

// A prefix that gives its addresses to a group. Of those that contain an address
// the one of the highest rank has it; among these the longest, among these the
// first in the list.
struct Claim {
  Prefix prefix;
  std::size_t rank = 0;
  std::size_t group = 0;
};

// Who has what, of what can be steered: ascending, disjoint. The claims are of
// one family. O(n log n).
std::vector<Ruleset::FallbackRange> settle(const std::vector<Claim>& claims);

}  // namespace nfsteer::netlink
