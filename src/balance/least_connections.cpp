// Least connections: the server with the fewest flows for its weight; equal ones take
// turns. For flows that last, of lengths that differ.
//
// Up to kSeen servers all are asked. Of a larger group those are that smooth weighted
// round robin would choose for the next kSeen flows: the least of so many is hardly
// above the least of all, and a pick costs no more, however many servers there are.
#include <algorithm>
#include <cmath>
#include <limits>

#include "candidates.hpp"
#include "registry.hpp"
#include "ring.hpp"
#include "ticket.hpp"

namespace nfsteer {
namespace {

constexpr std::size_t kSeen = 24;

// Whom to ask: neighbours on a ring, of which any kSeen are representative.
std::vector<std::uint16_t> ring_of(const Roster& roster, const std::vector<Candidate>& candidates) {
  if (candidates.size() > kSeen)
    return smooth_ring(turns_of(roster, [](const Member& member) { return member.share(); }));
  std::vector<std::uint16_t> ring;
  for (const Candidate& candidate : candidates) ring.push_back(candidate.index);
  return ring;
}

class LeastConnections final : public Balancer {
 public:
  explicit LeastConnections(const Roster& roster)
      : state_(roster.state), gauges_(roster.members.size()), prices_(roster.members.size()) {
    const std::vector<Candidate> candidates = candidates_of(roster);
    float most = 0;
    for (const Candidate& candidate : candidates) most = std::max(most, candidate.inverse_share);
    for (const auto& [gauge, inverse_share, index] : candidates) {
      const double price = std::round(kPriceMax * inverse_share / most);
      gauges_[index] = gauge;
      prices_[index] = static_cast<std::int64_t>(price * kSeen);
    }
    ring_ = ring_of(roster, candidates);
    length_ = ring_.size();
    seen_ = std::min(length_, kSeen);
    for (std::size_t i = 0; i + 1 < seen_; ++i) ring_.push_back(ring_[i]);  // no seam
  }

  std::size_t pick(const Pick& pick) const noexcept override {
    const std::uint16_t* window = ring_.data() + take_ticket(state_, pick.turn) % length_;
    return window[least_of(window)];
  }

 private:
  // Times kSeen and 2^27 flows it stays below 2^63.
  static constexpr double kPriceMax = 1u << 31;

  // What the server at that place would have to do, and below that the place: so no
  // two are equal, the first of the least wins, and no branch depends on it.
  std::int64_t bid(const std::uint16_t* window, std::size_t place) const noexcept {
    const std::size_t server = window[place];
    return (std::int64_t{gauges_.data()[server]->load()} + 1) * prices_.data()[server] +
           static_cast<std::int64_t>(place);
  }

  // std::min() takes addresses, for which the minima would have to be in memory.
  static std::int64_t lesser(std::int64_t one, std::int64_t other) noexcept {
    return other < one ? other : one;
  }

  // The place with the least bid. Four minima, for one would wait for itself.
  std::size_t least_of(const std::uint16_t* window) const noexcept {
    std::int64_t a = std::numeric_limits<std::int64_t>::max(), b = a, c = a, d = a;
    std::size_t place = 0;
    for (; place + 4 <= seen_; place += 4) {
      a = lesser(a, bid(window, place));
      b = lesser(b, bid(window, place + 1));
      c = lesser(c, bid(window, place + 2));
      d = lesser(d, bid(window, place + 3));
    }
    for (; place < seen_; ++place) a = lesser(a, bid(window, place));
    return static_cast<std::size_t>(lesser(lesser(a, b), lesser(c, d))) % kSeen;
  }

  PoolState& state_;
  std::vector<const Gauge*> gauges_;  // by member; of none that has no portion
  // By member, of a flow: in the ratio of 1 / share; multiples of kSeen.
  std::vector<std::int64_t> prices_;
  std::vector<std::uint16_t> ring_;  // members; the first kSeen stand again at its end
  std::size_t length_ = 0;           // of the ring without those
  std::size_t seen_ = 0;
};

}  // namespace

std::unique_ptr<const Balancer> make_least_connections(const Roster& roster) {
  return std::make_unique<LeastConnections>(roster);
}

}  // namespace nfsteer
