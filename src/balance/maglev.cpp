// Maglev: by a hash of the flow. The same flow goes to the same server on every node
// and after every restart, shares are exact, and servers that go and return take
// nothing but their own flows along.
#include "registry.hpp"
#include "slots.hpp"

namespace nfsteer {

std::unique_ptr<const Balancer> make_maglev(const Roster& roster) {
  return std::make_unique<SlotBalancer>(maglev_slots(roster));
}

}  // namespace nfsteer
