// Peak EWMA: of two servers drawn by weight the one where a flow would wait less: its
// latency times the flows that it has to do, for its weight. For flows that last, on
// servers whose speed differs (Finagle's balancer of that name; its choice of two
// from Mitzenmacher, 2001).
#include "latency.hpp"
#include "lottery.hpp"
#include "registry.hpp"

namespace nfsteer {
namespace {

class PeakEwma final : public Balancer {
 public:
  explicit PeakEwma(const Roster& roster) : lottery_(roster) {}

  std::size_t pick(const Pick& pick) const noexcept override {
    const auto fastest_us = fastest_.latency_us(lottery_.candidates(), pick);
    const auto wait = [&](const Candidate& candidate) {
      const auto own = latency_now(*candidate.gauge, pick.now_s, fastest_us);
      return static_cast<float>(own) * candidate.pressure();
    };
    return lottery_.cheaper_of_two(pick.turn, wait);
  }

 private:
  const Lottery lottery_;
  const Fastest fastest_;
};

}  // namespace

std::unique_ptr<const Balancer> make_peak_ewma(const Roster& roster) {
  return std::make_unique<PeakEwma>(roster);
}

}  // namespace nfsteer
