// A balancer that walks a precomputed ring of servers.
#pragma once

#include <cstdint>
#include <vector>

#include "nfsteer/balance.hpp"

namespace nfsteer {

// Every pick takes the next ticket of the cursor, and the server at ticket
// modulo length of the ring. One atomic addition makes the shares exact over
// any number of workers: n picks in a row, by whichever workers, are n
// neighbours on the ring.
class RingBalancer final : public Balancer {
 public:
  // `ring` holds indexes of servers and is not empty.
  RingBalancer(std::vector<std::uint16_t> ring, Cursor& cursor) noexcept
      : ring_(std::move(ring)), cursor_(cursor) {}

  std::size_t pick(std::uint64_t, Turn turn) const noexcept override {
    const auto ticket = turn == Turn::Take ? cursor_.ticket.fetch_add(1, std::memory_order_relaxed)
                                           : cursor_.ticket.load(std::memory_order_relaxed);
    return ring_[ticket % ring_.size()];
  }

 private:
  const std::vector<std::uint16_t> ring_;
  Cursor& cursor_;
};

// The ring of smooth weighted round robin. Its length is the sum of the weights
// after division by their greatest common divisor, and each server has exactly
// its weight's share. Where that sum exceeds kRingMax the shares are rounded to
// multiples of 1/kRingMax.
std::vector<std::uint16_t> smooth_ring(std::span<const std::uint32_t> weights);

inline constexpr std::size_t kRingMax = 65'536;

}  // namespace nfsteer
