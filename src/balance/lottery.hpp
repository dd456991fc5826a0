// Random numbers of a ticket, and candidates drawn by them.
#pragma once

#include <cstdint>
#include <vector>

#include "alias_table.hpp"
#include "candidates.hpp"
#include "nfsteer/base/mix.hpp"
#include "ticket.hpp"

namespace nfsteer {

// The random numbers of one choice. They follow from the ticket, so that workers
// share no state but the ticket, and what would be chosen next can be told.
class Draws {
 public:
  Draws(std::uint64_t ticket, std::uint64_t seed) noexcept : state_(mix(ticket * kGolden + seed)) {}

  std::uint64_t next() noexcept { return mix(state_ += kGolden); }

 private:
  std::uint64_t state_;
};

// Draws among the candidates of a roster, each as often as its share says.
class Lottery {
 public:
  explicit Lottery(const Roster& roster)
      : Lottery(roster, [](const Member& member) { return member.share(); }) {}
  // ... or as `weight` says of members.
  template <typename Weight>
  Lottery(const Roster& roster, Weight weight)
      : state_(roster.state),
        seed_(roster.seed),
        candidates_(candidates_of(roster)),
        table_(weights_of(roster, candidates_, weight)) {}

  Draws draws(Turn turn) const noexcept { return {take_ticket(state_, turn), seed_}; }
  const Candidate& draw(Draws& draws) const noexcept {
    return candidates_[table_.draw(draws.next())];
  }
  // Another than the first, if there is another. One that has nearly all of the share
  // is drawn again and again: after a few times it is the neighbour.
  const Candidate& draw_other(const Candidate& first, Draws& draws) const noexcept {
    for (int tries = 0; tries < 4; ++tries)
      if (const Candidate& other = draw(draws); &other != &first) return other;
    return &first == &candidates_.back() ? candidates_.front() : *(&first + 1);
  }

  // The index of that of two drawn candidates for which `cost` is lower; equal: of
  // the first.
  template <typename Cost>
  std::size_t cheaper_of_two(Turn turn, Cost cost) const noexcept {
    Draws draws = this->draws(turn);
    const Candidate& first = draw(draws);
    const Candidate& second = draw_other(first, draws);
    return cost(second) < cost(first) ? second.index : first.index;
  }

  const std::vector<Candidate>& candidates() const noexcept { return candidates_; }

 private:
  template <typename Weight>
  static std::vector<double> weights_of(const Roster& roster,
                                        const std::vector<Candidate>& candidates, Weight weight) {
    std::vector<double> weights;
    for (const Candidate& candidate : candidates)
      weights.push_back(weight(roster.members[candidate.index]));
    return weights;
  }

  PoolState& state_;
  const std::uint64_t seed_;
  const std::vector<Candidate> candidates_;
  const AliasTable table_;
};

}  // namespace nfsteer
