// A balancer that looks a flow's hash up in a table: the same flow goes to the same
// server, at a cost that does not depend on how many there are.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "nfsteer/balance.hpp"

namespace nfsteer {

// Who gets the hashes of each slot: indexes in Roster::members.
using Slots = std::vector<std::uint16_t>;
inline constexpr std::uint16_t kNobody = 0xffff;

// The slot of a hash, of so many: 2^32 at most. All are equally likely.
inline std::size_t slot_of(std::uint64_t hash, std::size_t slots) noexcept {
  return (hash >> 32) * slots >> 32;
}

class SlotBalancer final : public Balancer {
 public:
  explicit SlotBalancer(Slots slots) noexcept : slots_(std::move(slots)) {}

  std::size_t pick(const Pick& pick) const noexcept override {
    return slots_[slot_of(pick.hash, slots_.size())];
  }

 private:
  const Slots slots_;
};

// The slots of Maglev, with those of members that are away given to others.
Slots maglev_slots(const Roster& roster);

}  // namespace nfsteer
