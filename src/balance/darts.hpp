// Rendezvous hashing of a whole table of slots at once, at a cost that does not grow
// with the members.
//
// In rendezvous hashing a member waits for each slot a time of its own, exponential of
// the rate of its share, and the shortest wait wins. The same comes of it when each
// member throws darts at the slots, as often as its share is, and a slot goes to the
// first dart that hits it; but a slot is hit soon, and of the darts that would come
// later none needs to be thrown: some 13 for each slot, by all members together
// (Christiani, "DartMinHash: fast sketching for weighted sets", 2020). When and where
// a member throws depends on its identity and share alone. So when one goes only its
// own slots move, when one comes only to it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "slots.hpp"

namespace nfsteer {

// Gives the slots that are open to members with a portion, in the ratio of their
// shares. Nobody gets back the slot that is his, unless he is the only one: where one
// has nearly all of the share his slots would be hit late, so those that are nobody's
// after some 16 darts for each slot go by plain rendezvous hashing. Slots that nobody
// had, kNobody, wait for a dart. Returns how many darts were thrown.
// REQUIRES: open.size() == slots.size(); a member has a portion
std::uint64_t throw_darts(std::span<const Member> members, std::uint64_t seed,
                          const std::vector<bool>& open, Slots& slots);

}  // namespace nfsteer
