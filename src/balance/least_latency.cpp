// Least latency: servers drawn by weight, the slower the more rarely: a server that
// takes ten times as long as the fastest gets a hundredth of its share. For servers
// whose speed differs, by distance or by what else they do.
//
// A drawn server is taken with the probability (latency of the fastest / its own)^2,
// else another is drawn. So the fastest is never flooded as it would be if all flows
// went to it, weights hold among servers of one speed, and how fast a slow one is by
// now becomes known.
#include "latency.hpp"
#include "lottery.hpp"
#include "registry.hpp"

namespace nfsteer {
namespace {

// So a pick has an end where nearly all of the share is with slow servers.
constexpr int kDrawsMax = 16;

class LeastLatency final : public Balancer {
 public:
  explicit LeastLatency(const Roster& roster) : lottery_(roster) {}

  std::size_t pick(const Pick& pick) const noexcept override {
    const auto fastest_us = fastest_.latency_us(lottery_.candidates(), pick);
    Draws draws = lottery_.draws(pick.turn);
    const Candidate* drawn = &lottery_.draw(draws);
    for (int n = 1; n < kDrawsMax && !is_accepted(*drawn, pick, fastest_us, draws); ++n)
      drawn = &lottery_.draw(draws);
    return drawn->index;
  }

 private:
  static bool is_accepted(const Candidate& drawn, const Pick& pick, std::uint32_t fastest_us,
                          Draws& draws) noexcept {
    const auto own = static_cast<float>(latency_now(*drawn.gauge, pick.now_s, fastest_us));
    const auto least = static_cast<float>(fastest_us);
    const auto chance = static_cast<float>(draws.next() >> 40) * 0x1p-24f;  // 0 up to 1
    return chance * own * own < least * least;
  }

  const Lottery lottery_;
  const Fastest fastest_;
};

}  // namespace

std::unique_ptr<const Balancer> make_least_latency(const Roster& roster) {
  return std::make_unique<LeastLatency>(roster);
}

}  // namespace nfsteer
