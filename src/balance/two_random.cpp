// Two random choices: of two servers drawn by weight the one with less to do. Nearly
// as even as asking all, at a cost that does not grow with the group, and no flood
// of flows onto the one server that just came back (Mitzenmacher, "The power of two
// choices in randomized load balancing", 2001).
#include "lottery.hpp"
#include "registry.hpp"

namespace nfsteer {
namespace {

class TwoRandom final : public Balancer {
 public:
  explicit TwoRandom(const Roster& roster) : lottery_(roster) {}

  std::size_t pick(const Pick& pick) const noexcept override {
    return lottery_.cheaper_of_two(pick.turn,
                                   [](const Candidate& candidate) { return candidate.pressure(); });
  }

 private:
  const Lottery lottery_;
};

}  // namespace

std::unique_ptr<const Balancer> make_two_random(const Roster& roster) {
  return std::make_unique<TwoRandom>(roster);
}

}  // namespace nfsteer
