// A balancer that walks a precomputed ring of servers.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "nfsteer/balance.hpp"
#include "ticket.hpp"

namespace nfsteer {

// Every pick takes the next ticket of the pool, and the server at ticket
// modulo length of the ring. One atomic addition makes the shares exact over
// any number of workers: n picks in a row, by whichever workers, are n
// neighbours on the ring.
class RingBalancer final : public Balancer {
 public:
  // `ring` holds indexes of servers and is not empty.
  RingBalancer(std::vector<std::uint16_t> ring, PoolState& state) noexcept
      : ring_(std::move(ring)), state_(state) {}

  std::size_t pick(const Pick& pick) const noexcept override {
    return ring_[take_ticket(state_, pick.turn) % ring_.size()];
  }

 private:
  const std::vector<std::uint16_t> ring_;
  PoolState& state_;
};

// The ring of smooth weighted round robin. Its length is the sum of the weights
// after division by their greatest common divisor, and each server has exactly
// its weight's share. Where that sum exceeds kRingMax the shares are rounded to
// multiples of 1/kRingMax. A weight of 0 has no place on it.
std::vector<std::uint16_t> smooth_ring(std::span<const std::uint32_t> weights);

inline constexpr std::size_t kRingMax = 65'536;

// Weights for a ring, in the ratio of what `share` says of the members. Those that
// start slowly are heard to a hundredth.
template <typename Share>
std::vector<std::uint32_t> turns_of(const Roster& roster, Share share) {
  std::vector<std::uint32_t> turns;
  for (const Member& member : roster.members)
    turns.push_back(static_cast<std::uint32_t>(std::ceil(100 * share(member))));
  return turns;
}

}  // namespace nfsteer
