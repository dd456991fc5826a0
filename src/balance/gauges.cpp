#include <algorithm>

#include "nfsteer/balance.hpp"

namespace nfsteer {

void Gauges::assign(ServerId id) noexcept {
  all_[id].assigned.fetch_add(1, std::memory_order_relaxed);
  if (PoolState* pool = pools_[id].load(std::memory_order_acquire))
    pool->sum.assigned.fetch_add(1, std::memory_order_relaxed);
}

void Gauges::settle(ServerId id, std::int32_t flows) noexcept {
  const auto added = static_cast<std::uint32_t>(flows);
  all_[id].settled.fetch_add(added, std::memory_order_relaxed);
  if (PoolState* pool = pools_[id].load(std::memory_order_acquire))
    pool->sum.settled.fetch_add(added, std::memory_order_relaxed);
}

void Gauges::enlist(ServerId id, PoolState& pool, bool is_new) noexcept {
  if (is_new) {
    settle(id, static_cast<std::int32_t>(all_[id].load()));
    all_[id].latency_us.store(0, std::memory_order_relaxed);
  }
  pools_[id].store(&pool, std::memory_order_release);
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
