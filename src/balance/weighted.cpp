// Smooth weighted round robin: in any run of flows each server's share is its
// weight's, and its turns are spread evenly. For servers of different size.
#include "registry.hpp"
#include "ring.hpp"

namespace nfsteer {

std::unique_ptr<const Balancer> make_weighted(const Roster& roster) {
  return std::make_unique<RingBalancer>(
      smooth_ring(turns_of(roster, [](const Member& member) { return member.share(); })),
      roster.state);
}

}  // namespace nfsteer
