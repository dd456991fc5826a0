// Weighted rendezvous hashing: each member draws a number from the key, an
// exponential variable of the rate of its share; the least wins. So each wins as
// many keys as its share is, and when one goes only its own keys move (Thaler,
// Ravishankar: "Using name-based mappings to increase hit rates", 1998; weights by
// Schindelhauer, Schomaker, 2005).
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <span>

#include "nfsteer/balance.hpp"
#include "nfsteer/base/mix.hpp"

namespace nfsteer {

// The index of the member that wins the key, of those that `takes`, which says
// so of indexes; nullopt: of none.
template <typename Takes>
std::optional<std::size_t> rendezvous(std::span<const Member> members, std::uint64_t key,
                                      Takes takes) noexcept {
  std::optional<std::size_t> winner;
  double least = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].portion <= 0 || !takes(i)) continue;
    const double drawn = uniform(mix(key ^ members[i].identity));
    const double share = members[i].share();
    // -log(x) >= 1 - x: that nearly all have lost already is seen without a logarithm.
    if (winner && 1 - drawn >= least * share) continue;
    const double cost = -std::log(drawn) / share;
    if (winner && cost >= least) continue;
    winner = i;
    least = cost;
  }
  return winner;
}

}  // namespace nfsteer
