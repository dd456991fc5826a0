// What the indexes of a Classifier are made from: the rules, taken apart into
// constraints. Lives while they are made; points into the rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "nfsteer/rule.hpp"

namespace nfsteer {

// What one part of an index tells subjects apart by: a field; of its number the
// bits under the mask.
struct Dimension {
  const Field* field = nullptr;
  std::uint32_t mask = 0xffff'ffff;
  std::uint32_t rules = 0;  // have a criterion of it

  bool is_address() const noexcept { return field->address != nullptr; }
};
// As many as an index has at most; all fields, and some with several masks.
inline constexpr std::size_t kDimensionsMax = 32;

// A rule's criterion on one dimension.
struct Constraint {
  std::uint32_t dimension = 0;
  const Criterion* criterion = nullptr;
};
// The dimension of a criterion that has none: whose values have several masks,
// or a mask that is one too many.
inline constexpr std::uint32_t kNoDimension = 0xffff'ffff;

using Scheduled = std::vector<std::pair<std::uint32_t, Criterion>>;  // rule, on schedules

class RuleTable {
 public:
  explicit RuleTable(std::span<const Match* const> rules);

  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(begins_.size() - 1); }
  std::span<const Dimension> dimensions() const noexcept { return dimensions_; }
  // Of the rule; not those of schedules.
  std::span<const Constraint> constraints(std::uint32_t rule) const noexcept {
    return std::span(constraints_).subspan(begins_[rule], begins_[rule + 1] - begins_[rule]);
  }
  // A copy of all criteria of schedules, by ascending rule.
  const Scheduled& scheduled() const noexcept { return scheduled_; }

 private:
  std::uint32_t dimension_of(const Criterion& criterion);

  std::vector<Dimension> dimensions_;
  std::vector<Constraint> constraints_;  // rule by rule
  std::vector<std::uint32_t> begins_;    // in constraints_, by rule; and the end
  Scheduled scheduled_;
};

// First to last, both included.
struct NumberRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
};

// The numbers, of those with the dimension's mask applied, for which the
// criterion holds: ascending ranges with gaps between them.
// REQUIRES: the criterion is one of a dimension of numbers
std::vector<NumberRange> ranges(const Criterion& criterion);

}  // namespace nfsteer
