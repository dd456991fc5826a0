// Our part of the 32 bits that a packet, and its conntrack entry, carry.
#pragma once

#include <bit>
#include <cstdint>

#include "nfsteer/base/result.hpp"

namespace nfsteer {

// The number of a server in marks: 1 up to MarkLayout::server_max().
using ServerId = std::uint16_t;

// Which bits of the mark are ours, and what is written there:
//   0                      undecided
//   1 ... server_max()     the server's id
//   reject()               to be refused
//   pass()                 decided: not steered
// The other bits belong to other programs and are never changed. Host order.
struct MarkLayout {
  std::uint32_t mask = 0xfff00000;

  constexpr unsigned shift() const noexcept {
    return static_cast<unsigned>(std::countr_zero(mask));
  }
  constexpr std::uint32_t top() const noexcept { return mask >> shift(); }
  constexpr std::uint32_t server_max() const noexcept { return top() - 2; }
  constexpr std::uint32_t server(ServerId id) const noexcept {
    return std::uint32_t{id} << shift();
  }
  constexpr std::uint32_t reject() const noexcept { return (top() - 1) << shift(); }
  constexpr std::uint32_t pass() const noexcept { return mask; }
  // The whole mark of a packet that had `mark`, after our bits became `ours`.
  constexpr std::uint32_t merge(std::uint32_t mark, std::uint32_t ours) const noexcept {
    return (mark & ~mask) | ours;
  }

  friend constexpr bool operator==(const MarkLayout&, const MarkLayout&) = default;
};

// The layout of a mask: contiguous, with room for at least two servers (3 bits)
// and for ids of at most 16 bits.
Result<MarkLayout> make_mark_layout(std::uint32_t mask);

}  // namespace nfsteer
