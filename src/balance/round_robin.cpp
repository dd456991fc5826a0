// Round robin: each server in turn, whatever its weight. For servers that are
// alike and flows that cost alike.
#include <numeric>

#include "registry.hpp"
#include "ring.hpp"

namespace nfsteer {

std::unique_ptr<const Balancer> make_round_robin(std::span<const Server> servers, Cursor& cursor) {
  std::vector<std::uint16_t> ring(servers.size());
  std::iota(ring.begin(), ring.end(), std::uint16_t{0});
  return std::make_unique<RingBalancer>(std::move(ring), cursor);
}

}  // namespace nfsteer
