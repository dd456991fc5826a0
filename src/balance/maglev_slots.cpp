// Maglev's table: each server steps through the slots in an order of its own and
// takes the next that is free, in turns, until it has the slots that its weight
// gives it (Eisenbud et al., "Maglev: a fast and reliable software network load
// balancer", NSDI 2016). Shares are exact to a slot.
//
// Servers that are away keep their place in it, and only their slots are given to
// others, each by rendezvous hashing: so no flow of another server moves when one
// goes, and only its own come back when it returns. Maglev alone moves some of all.
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "apportion.hpp"
#include "darts.hpp"
#include "nfsteer/base/mix.hpp"

namespace nfsteer {
namespace {

constexpr std::uint32_t kSlots = 65'537;  // prime

// A server's order of the slots: each of them once, as their number is prime.
class Steps {
 public:
  Steps(std::uint64_t identity, std::uint64_t seed) noexcept {
    const std::uint64_t key = mix(identity ^ mix(seed));
    next_ = static_cast<std::uint32_t>(mix(key + kGolden) % kSlots);
    step_ = static_cast<std::uint32_t>(mix(key + 2 * kGolden) % (kSlots - 1)) + 1;
  }
  std::uint32_t next() noexcept {
    const std::uint32_t slot = next_;
    next_ += step_;
    if (next_ >= kSlots) next_ -= kSlots;
    return slot;
  }

 private:
  std::uint32_t next_, step_;
};

// Indexes of the members, in an order that does not depend on that in the file.
std::vector<std::uint16_t> by_identity(std::span<const Member> members) {
  std::vector<std::uint16_t> order(members.size());
  std::iota(order.begin(), order.end(), std::uint16_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::uint16_t a, std::uint16_t b) {
    return members[a].identity < members[b].identity;
  });
  return order;
}

// As if nobody were away.
Slots populate(std::span<const Member> members, std::uint64_t seed) {
  struct Player {
    Steps steps;
    std::uint32_t due;  // slots
    std::uint16_t member;
  };
  const auto order = by_identity(members);
  std::vector<std::uint32_t> weights;
  for (const std::uint16_t member : order) weights.push_back(members[member].weight);
  const auto due = apportion(weights, kSlots);
  std::vector<Player> players;
  for (std::size_t i = 0; i < order.size(); ++i)
    players.push_back({{members[order[i]].identity, seed}, due[i], order[i]});

  Slots slots(kSlots, kNobody);
  while (!players.empty()) {
    for (Player& player : players) {
      std::uint32_t slot = player.steps.next();
      while (slots[slot] != kNobody) slot = player.steps.next();
      slots[slot] = player.member;
      --player.due;
    }
    std::erase_if(players, [](const Player& player) { return player.due == 0; });
  }
  return slots;
}

// Which slots their owners give up: so many of each one's as its portion leaves, and
// as it grows they come back one by one.
std::vector<bool> given_up(std::span<const Member> members, const Slots& slots) {
  std::vector<bool> open;
  for (std::size_t slot = 0; slot < slots.size(); ++slot) {
    const Member& owner = members[slots[slot]];
    open.push_back(owner.portion < 1 &&
                   uniform(mix(owner.identity + slot * kGolden)) > owner.portion);
  }
  return open;
}

}  // namespace

Slots maglev_slots(const Roster& roster) {
  Slots slots = populate(roster.members, roster.seed);
  const std::vector<bool> open = given_up(roster.members, slots);
  throw_darts(roster.members, roster.seed, open, slots);
  return slots;
}

}  // namespace nfsteer
