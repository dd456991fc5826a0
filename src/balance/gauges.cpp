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

}  // namespace nfsteer
