// Weighted random: any server, as often as its weight says.
#include "drawn.hpp"
#include "registry.hpp"

namespace nfsteer {

std::unique_ptr<const Balancer> make_weighted_random(const Roster& roster) {
  return std::make_unique<DrawnBalancer>(Lottery(roster));
}

}  // namespace nfsteer
