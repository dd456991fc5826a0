#include <algorithm>

#include "nfsteer/balance.hpp"

namespace nfsteer {

void Gauges::renew(ServerId id) noexcept {
  all_[id].settled.store(all_[id].assigned.load(std::memory_order_relaxed),
                         std::memory_order_relaxed);
  all_[id].latency_us.store(0, std::memory_order_relaxed);
}

void PoolState::keep_ticket(std::span<Ticket> kept, std::uint64_t owner) noexcept {
  const auto is_free_or_its = [owner](const Ticket& each) {
    const std::uint64_t other = each.owner.load(std::memory_order_relaxed);
    return other == 0 || other == owner;
  };
  const auto found = std::ranges::find_if(kept, is_free_or_its);
  if (found == kept.end()) return;
  found->owner.store(owner, std::memory_order_relaxed);
  ticket = &*found;
}

}  // namespace nfsteer
