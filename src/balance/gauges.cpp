#include <algorithm>

#include "nfsteer/balance.hpp"

namespace nfsteer {

void Gauges::renew(ServerId id) noexcept {
  all_[id].settled.store(all_[id].assigned.load(std::memory_order_relaxed),
                         std::memory_order_relaxed);
  all_[id].latency_us.store(0, std::memory_order_relaxed);
  set_bar(id, kFailed | kClosed, false);
}

bool Gauges::fail(ServerId id, std::uint32_t failures) noexcept {
  if (patience(id) == 0 || failures < patience(id)) return false;
  set_bar(id, kFailed, true);
  return true;
}

void Gauges::set_bar(ServerId id, std::uint32_t bar, bool is_set) noexcept {
  if (is_set)
    trust_[id].bars.fetch_or(bar, std::memory_order_relaxed);
  else
    trust_[id].bars.fetch_and(~bar, std::memory_order_relaxed);
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
