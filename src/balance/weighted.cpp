// Smooth weighted round robin: in any run of flows each server's share is its
// weight's, and its turns are spread evenly. For servers of different size.
#include "registry.hpp"
#include "ring.hpp"

namespace nfsteer {

std::unique_ptr<const Balancer> make_weighted(std::span<const Server> servers, Cursor& cursor) {
  std::vector<std::uint32_t> weights;
  for (const Server& server : servers) weights.push_back(server.weight);
  return std::make_unique<RingBalancer>(smooth_ring(weights), cursor);
}

}  // namespace nfsteer
