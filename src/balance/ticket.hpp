// The order of choices in a pool.
#pragma once

#include "nfsteer/balance.hpp"

namespace nfsteer {

// The pool's next ticket: 0, 1, 2 ... over all workers; Peek leaves it there.
inline std::uint64_t take_ticket(PoolState& state, Turn turn) noexcept {
  return turn == Turn::Take ? state.ticket->next.fetch_add(1, std::memory_order_relaxed)
                            : state.ticket->next.load(std::memory_order_relaxed);
}

}  // namespace nfsteer
