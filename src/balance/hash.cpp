// Hash: Maglev by the source address, so that all flows of a client go to one server.
#include "registry.hpp"
#include "slots.hpp"

namespace nfsteer {

std::unique_ptr<const Balancer> make_hash(const Roster& roster) {
  return std::make_unique<SlotBalancer>(maglev_slots(roster));
}

}  // namespace nfsteer
