// Smooth weighted round robin, unrolled once into a ring.
//
// Weights {5, 1, 1} give a a b a c a a rather than a a a a a b c: a server's
// turns are spread as evenly as its weight allows. Slot k of a server of weight
// w on a ring of length L is due at (2k + 1) L / (2w), the middle of the k-th of
// its w equal parts; the ring is all slots in the order of their due times. That
// is the schedule of "virtual time" (start-time fair queueing, Goyal et al.
// 1996, for packets of equal length). Cost: O(L log n) once, nothing per pick.
#include "ring.hpp"

#include <algorithm>
#include <numeric>
#include <queue>

#include "apportion.hpp"

namespace nfsteer {
namespace {

// The weights with their common divisor taken out, or, where they are still too
// many for a ring, rounded to a sum of kRingMax.
std::vector<std::uint32_t> reduce(std::span<const std::uint32_t> weights) {
  std::vector<std::uint32_t> reduced(weights.begin(), weights.end());
  const std::uint32_t divisor =
      std::accumulate(reduced.begin(), reduced.end(), 0u, std::gcd<std::uint32_t, std::uint32_t>);
  for (std::uint32_t& weight : reduced) weight /= divisor;

  const std::uint64_t sum = std::accumulate(reduced.begin(), reduced.end(), std::uint64_t{0});
  return sum <= kRingMax ? reduced : apportion(reduced, kRingMax);
}

// One server's next turn: due at (2 * turn + 1) / (2 * weight) of the ring.
struct Due {
  std::uint64_t turn;
  std::uint32_t weight;
  std::uint16_t server;

  // Whether this turn comes after the other; exact, by cross-multiplication.
  bool operator<(const Due& other) const noexcept {
    const std::uint64_t mine = (2 * turn + 1) * other.weight;
    const std::uint64_t theirs = (2 * other.turn + 1) * weight;
    return mine != theirs ? mine > theirs : server > other.server;
  }
};

}  // namespace

std::vector<std::uint16_t> smooth_ring(std::span<const std::uint32_t> weights) {
  const std::vector<std::uint32_t> slots = reduce(weights);
  std::priority_queue<Due> queue;
  for (std::size_t i = 0; i < slots.size(); ++i)
    if (slots[i] > 0) queue.push({0, slots[i], static_cast<std::uint16_t>(i)});

  std::vector<std::uint16_t> ring;
  while (!queue.empty()) {
    Due due = queue.top();
    queue.pop();
    ring.push_back(due.server);
    if (++due.turn < due.weight) queue.push(due);
  }
  return ring;
}

}  // namespace nfsteer
