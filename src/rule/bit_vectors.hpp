// Bit vectors (Lakshman, Stiliadis: SIGCOMM 1998), in two levels: of each field
// the class of the subject's value, of each class the rules for which it holds,
// as bits; the first bit that all fields have is the first rule that matches.
// To be chosen for up to some 20,000 rules, of any fields. Time: a look-up for
// each field, then n/4096 words of each, then a word of each for 64 rules among
// which all fields have candidates. Memory: about n/100 bytes for each prefix.
//
// Many rules ask for one address only. They would be candidates in each word,
// and so the rules are kept in four groups: by whether they ask for both
// addresses, for either or for none. A group is searched no further than to the
// best rule that was found before.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "bit_rows.hpp"
#include "field_classes.hpp"
#include "rule_table.hpp"

namespace nfsteer {

class BitVectors {
 public:
  static constexpr std::uint32_t kNone = Classifier::kNone;
  // Of a word of the summary.
  static constexpr std::size_t kSummaryRules = 64 * 64;

  // Two dimensions of addresses; kNoDimension where there are fewer.
  using Pair = std::array<std::uint32_t, 2>;

  BitVectors() = default;
  // Of these rules of the table, ascending; in one group, without their criteria
  // on `pair`.
  static BitVectors without(const RuleTable& table, std::span<const std::uint32_t> rules,
                            Pair pair);
  // With all criteria; if they are many in groups, by their criteria on `pair`.
  static BitVectors grouped(const RuleTable& table, std::span<const std::uint32_t> rules,
                            Pair pair);

  // The first rule, from `from` on and before `best`, of which all dimensions
  // hold and that accept(rule) accepts; `best` where there is none.
  template <typename Accept>
  std::uint32_t find(const Subject& subject, std::uint32_t from, std::uint32_t best,
                     const Accept& accept) const noexcept;

  std::size_t bytes() const noexcept;

 private:
  // Row 0 is of flows without the field, row c + 1 of the class c.
  struct IndexedField {
    const Field* field = nullptr;
    std::uint32_t mask = 0;
    std::variant<NumberClasses, PrefixTree> classes;
    BitRows rows;

    std::uint32_t row_of(const Subject& subject) const noexcept;
  };
  // A group's words in the summary of a row.
  struct Group {
    std::size_t begin = 0, end = 0;
  };
  // A subject's row of a field.
  struct Reading {
    const std::uint64_t* row;
    const std::uint64_t* blocks;
  };
  using Readings = std::span<const Reading>;
  class Builder;

  // The index in rules_ of the group's first rule from `from` on.
  std::size_t position(const Group& group, std::uint32_t from) const noexcept;
  template <typename Accept>
  std::uint32_t find_in(const Group& group, Readings readings, std::uint32_t from,
                        std::uint32_t best, const Accept& accept) const noexcept;

  std::vector<IndexedField> fields_;
  std::vector<Group> groups_;
  // By bit: group by group, each ascending from a word of the summary on. Where
  // there is no rule, kNone; a word of 64 of them at the end.
  std::vector<std::uint32_t> rules_;
  std::size_t summaries_ = 0;  // words of a row's summary
};

inline std::uint32_t BitVectors::IndexedField::row_of(const Subject& subject) const noexcept {
  if (field->address) {
    const Address* address = field->address(subject);
    return address ? std::get_if<PrefixTree>(&classes)->find(*address) + 1 : 0;
  }
  const auto number = field->number(subject);
  return number ? std::get_if<NumberClasses>(&classes)->find(*number & mask) + 1 : 0;
}

template <typename Accept>
std::uint32_t BitVectors::find(const Subject& subject, std::uint32_t from, std::uint32_t best,
                               const Accept& accept) const noexcept {
  std::array<Reading, kDimensionsMax> readings;
  std::size_t count = 0;
  for (const IndexedField& field : fields_)
    readings[count++] = {field.rows.row(field.row_of(subject)), field.rows.blocks()};
  for (const Group& group : groups_)
    best = find_in(group, {readings.data(), count}, from, best, accept);
  return best;
}

inline std::size_t BitVectors::position(const Group& group, std::uint32_t from) const noexcept {
  const std::size_t begin = group.begin * kSummaryRules;
  if (from == 0) return begin;
  const auto first = rules_.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto last = rules_.begin() +
                    static_cast<std::ptrdiff_t>(std::min(group.end * kSummaryRules, rules_.size()));
  return static_cast<std::size_t>(std::lower_bound(first, last, from) - rules_.begin());
}

template <typename Accept>
std::uint32_t BitVectors::find_in(const Group& group, Readings readings, std::uint32_t from,
                                  std::uint32_t best, const Accept& accept) const noexcept {
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  const std::uint32_t* const rules = rules_.data();
  const std::size_t first = position(group, from);
  for (std::size_t k = first / kSummaryRules; k < group.end; ++k) {
    std::uint64_t live = k == first / kSummaryRules ? kAll << first / 64 % 64 : kAll;
    for (const Reading& reading : readings) live &= reading.row[k];
    for (; live != 0; live &= live - 1) {
      const std::size_t w = k * 64 + static_cast<std::size_t>(std::countr_zero(live));
      if (rules[w * 64] >= best) return best;
      std::uint64_t hits = w == first / 64 ? kAll << first % 64 : kAll;
      for (const auto& [row, blocks] : readings) hits &= BitRows::word(row, blocks, summaries_, w);
      for (; hits != 0; hits &= hits - 1) {
        const std::uint32_t rule = rules[w * 64 + static_cast<std::size_t>(std::countr_zero(hits))];
        if (rule >= best) return best;
        if (accept(rule)) return rule;
      }
    }
  }
  return best;
}

}  // namespace nfsteer
