#include "rule_table.hpp"

#include <algorithm>
#include <cassert>
#include <optional>

namespace nfsteer {
namespace {

constexpr std::uint32_t kAllBits = 0xffff'ffff;
constexpr std::uint32_t kLastNumber = 0xffff'ffff;
// Each mask costs a look-up for each packet; a criterion with another mask costs
// one only where all else of its rule holds.
constexpr std::ptrdiff_t kMasksMax = 4;

std::uint32_t mask_of(const Value& value) noexcept {
  const auto* masked = std::get_if<Masked>(&value);
  return masked ? masked->mask : kAllBits;
}

// The mask that all values have, if it is one.
std::optional<std::uint32_t> common_mask(const Criterion& criterion) noexcept {
  std::optional<std::uint32_t> common;
  for (const auto* values : {&criterion.any, &criterion.none})
    for (const Value& value : *values) {
      if (common && *common != mask_of(value)) return std::nullopt;
      common = mask_of(value);
    }
  return common.value_or(kAllBits);
}

// The values' numbers; ranges may overlap afterwards.
void append(const std::vector<Value>& values, std::vector<NumberRange>& made) {
  for (const Value& value : values) {
    const auto* interval = std::get_if<Interval>(&value);
    if (interval && interval->first <= interval->last)
      made.push_back({interval->first, interval->last});
    if (const auto* masked = std::get_if<Masked>(&value))
      made.push_back({masked->value, masked->value});
  }
}

// Sorts, and makes one of those that overlap or touch.
void unite(std::vector<NumberRange>& all) {
  if (all.size() < 2) return;
  std::sort(all.begin(), all.end(),
            [](const NumberRange& a, const NumberRange& b) { return a.first < b.first; });
  std::size_t count = 1;
  for (const NumberRange& next : std::vector(all.begin() + 1, all.end())) {
    NumberRange& before = all[count - 1];
    if (before.last == kLastNumber || next.first <= before.last + 1)
      before.last = std::max(before.last, next.last);
    else
      all[count++] = next;
  }
  all.resize(count);
}

// What is left of united ranges without other united ranges.
std::vector<NumberRange> subtract(std::vector<NumberRange> from,
                                  const std::vector<NumberRange>& holes) {
  std::vector<NumberRange> made;
  for (NumberRange range : from) {
    bool rest = true;
    for (const NumberRange& hole : holes) {
      if (hole.last < range.first || range.last < hole.first) continue;
      if (range.first < hole.first) made.push_back({range.first, hole.first - 1});
      rest = hole.last < range.last;
      if (!rest) break;
      range.first = hole.last + 1;
    }
    if (rest) made.push_back(range);
  }
  return made;
}

}  // namespace

RuleTable::RuleTable(std::span<const Match* const> rules) {
  constraints_.reserve(rules.size() * 5);
  begins_.reserve(rules.size() + 1);
  begins_.push_back(0);
  for (std::uint32_t rule = 0; rule < rules.size(); ++rule) {
    for (const Criterion& criterion : *rules[rule]) {
      if (criterion.field->number || criterion.field->address)
        constraints_.push_back({dimension_of(criterion), &criterion});
      else
        scheduled_.emplace_back(rule, criterion);
    }
    begins_.push_back(static_cast<std::uint32_t>(constraints_.size()));
  }
}

// Makes the dimension where there is none yet.
std::uint32_t RuleTable::dimension_of(const Criterion& criterion) {
  const auto mask = criterion.field->address ? kAllBits : common_mask(criterion);
  if (!mask) return kNoDimension;
  auto found = std::find_if(dimensions_.begin(), dimensions_.end(), [&](const Dimension& known) {
    return known.field == criterion.field && known.mask == *mask;
  });
  if (found == dimensions_.end()) {
    const auto masks =
        std::count_if(dimensions_.begin(), dimensions_.end(),
                      [&](const Dimension& known) { return known.field == criterion.field; });
    if (masks == kMasksMax || dimensions_.size() == kDimensionsMax) return kNoDimension;
    found = dimensions_.insert(dimensions_.end(), {criterion.field, *mask, 0});
  }
  ++found->rules;
  return static_cast<std::uint32_t>(found - dimensions_.begin());
}

std::vector<NumberRange> ranges(const Criterion& criterion) {
  std::vector<NumberRange> held;
  if (criterion.any.empty()) held.push_back({0, kLastNumber});
  append(criterion.any, held);
  unite(held);
  if (criterion.none.empty()) return held;
  std::vector<NumberRange> holes;
  append(criterion.none, holes);
  unite(holes);
  return subtract(std::move(held), holes);
}

}  // namespace nfsteer
