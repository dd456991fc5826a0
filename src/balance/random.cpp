// Random: any server, whatever its weight. For servers that are alike; unlike
// turns, nobody who sends flows can tell where the next one goes.
#include "drawn.hpp"
#include "registry.hpp"

namespace nfsteer {

std::unique_ptr<const Balancer> make_random(const Roster& roster) {
  return std::make_unique<DrawnBalancer>(
      Lottery(roster, [](const Member& member) { return member.portion; }));
}

}  // namespace nfsteer
