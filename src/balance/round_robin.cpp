// Round robin: each server in turn, whatever its weight. For servers that are
// alike and flows that cost alike.
#include "registry.hpp"
#include "ring.hpp"

namespace nfsteer {

std::unique_ptr<const Balancer> make_round_robin(const Roster& roster) {
  return std::make_unique<RingBalancer>(
      smooth_ring(turns_of(roster, [](const Member& member) { return member.portion; })),
      roster.state);
}

}  // namespace nfsteer
