// Rendezvous: by a hash of the flow, each of 65,536 slots to the server that wants it
// most. Its shares are less even than Maglev's; but a server that is added to the
// rules file takes only what becomes its own, and one that is removed from it leaves
// all else where it was (as GitHub's glb-director does).
#include "darts.hpp"
#include "registry.hpp"

namespace nfsteer {

std::unique_ptr<const Balancer> make_rendezvous(const Roster& roster) {
  constexpr std::size_t kSlots = 65'536;
  Slots slots(kSlots, kNobody);
  throw_darts(roster.members, roster.seed, std::vector<bool>(kSlots, true), slots);
  return std::make_unique<SlotBalancer>(std::move(slots));
}

}  // namespace nfsteer
