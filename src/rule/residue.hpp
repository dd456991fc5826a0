// What an index leaves to be verified: criteria that it does not hold exactly,
// of rules that it found.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "nfsteer/rule.hpp"

namespace nfsteer {

class Residue {
 public:
  // REQUIRES: rules in ascending order
  void add(std::uint32_t rule, const Criterion& criterion) {
    if (rules_.empty() || rules_.back() != rule) {
      rules_.push_back(rule);
      matches_.emplace_back();
    }
    matches_.back().push_back(criterion);
  }

  bool empty() const noexcept { return rules_.empty(); }
  // Whether the rule's criteria that were added hold.
  bool holds(std::uint32_t rule, const Subject& subject) const noexcept {
    const auto found = std::lower_bound(rules_.begin(), rules_.end(), rule);
    if (found == rules_.end() || *found != rule) return true;
    return matches(matches_.data()[found - rules_.begin()], subject);
  }
  std::size_t bytes() const noexcept;

 private:
  std::vector<std::uint32_t> rules_;  // ascending
  std::vector<Match> matches_;        // as rules_
};

inline std::size_t Residue::bytes() const noexcept {
  std::size_t sum = rules_.capacity() * sizeof(std::uint32_t) + matches_.capacity() * sizeof(Match);
  for (const Match& match : matches_) {
    sum += match.capacity() * sizeof(Criterion);
    for (const Criterion& criterion : match)
      sum += (criterion.any.capacity() + criterion.none.capacity()) * sizeof(Value);
  }
  return sum;
}

}  // namespace nfsteer
