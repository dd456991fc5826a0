#include "bit_vectors.hpp"

#include <algorithm>
#include <cassert>

namespace nfsteer {
namespace {

constexpr std::size_t kGroups = 4;
// Fewer rules are so few words that groups cost more than they spare.
constexpr std::size_t kUngroupedMax = 1024;
// A prefix shorter than this holds for so many addresses that its rules belong
// to those that ask for none.
constexpr unsigned kWideBits = 3;

bool is_telling(const Criterion& criterion) noexcept {
  return !criterion.any.empty() &&
         std::all_of(criterion.any.begin(), criterion.any.end(), [](const Value& value) {
           const auto* prefix = std::get_if<Prefix>(&value);
           return prefix && prefix->length >= kWideBits;
         });
}

// What the criteria say of the classes of one field. Rules are indexes in the
// builder's rules, also where a change has a bit.
struct Statements {
  std::vector<std::uint32_t> asking;     // rules that have a criterion
  std::vector<std::uint32_t> beginning;  // of them, those that hold in row 1
  std::vector<RowChange> changes;        // by ascending row, then rule; from row 2 on
  std::vector<std::uint32_t> likes;      // by row: the row that it is made from
};

// Whether the prefix lies in one for which the criterion does not hold.
bool is_in(const Prefix& prefix, const Criterion& criterion) noexcept {
  return std::any_of(criterion.none.begin(), criterion.none.end(), [&](const Value& value) {
    const auto* hole = std::get_if<Prefix>(&value);
    return hole && hole->length <= prefix.length && hole->contains(prefix.address);
  });
}

}  // namespace

class BitVectors::Builder {
 public:
  Builder(const RuleTable& table, std::span<const std::uint32_t> rules)
      : table_(table),
        rules_(rules),
        by_dimension_(table.dimensions().size()),
        groups_(rules.size()) {}

  void collect(Pair left_out);
  void group(Pair pair);
  BitVectors build();

 private:
  struct Asked {
    std::uint32_t rule;  // index in rules_
    const Criterion* criterion;
  };

  static Statements of_numbers(std::span<const Asked> asked, IndexedField& field);
  static Statements of_addresses(std::span<const Asked> asked, IndexedField& field);
  void place_rules();
  BitRows make_rows(Statements& statements) const;

  const RuleTable& table_;
  std::span<const std::uint32_t> rules_;
  std::vector<std::vector<Asked>> by_dimension_;
  std::vector<std::uint8_t> groups_;  // by index in rules_
  std::vector<std::uint32_t> bits_;   // by index in rules_
  BitVectors made_;
};

void BitVectors::Builder::collect(Pair left_out) {
  for (std::uint32_t i = 0; i < rules_.size(); ++i)
    for (const auto& [dimension, criterion] : table_.constraints(rules_[i]))
      if (dimension != kNoDimension && dimension != left_out[0] && dimension != left_out[1])
        by_dimension_[dimension].push_back({i, criterion});
}

// The rules that say most are looked through first: what they find is often what
// comes first, and the rest is spared.
void BitVectors::Builder::group(Pair pair) {
  if (rules_.size() <= kUngroupedMax) return;
  std::fill(groups_.begin(), groups_.end(), static_cast<std::uint8_t>(kGroups - 1));
  for (const std::size_t i : {0u, 1u}) {
    if (pair[i] == kNoDimension) continue;
    for (const auto& [rule, criterion] : by_dimension_[pair[i]])
      if (is_telling(*criterion)) groups_[rule] &= static_cast<std::uint8_t>(~(1u << i));
  }
}

BitVectors BitVectors::Builder::build() {
  place_rules();
  for (std::size_t d = 0; d < by_dimension_.size(); ++d) {
    if (by_dimension_[d].empty()) continue;
    const Dimension& dimension = table_.dimensions()[d];
    IndexedField& field = made_.fields_.emplace_back();
    field.field = dimension.field;
    field.mask = dimension.mask;
    Statements statements = dimension.is_address() ? of_addresses(by_dimension_[d], field)
                                                   : of_numbers(by_dimension_[d], field);
    field.rows = make_rows(statements);
  }
  return std::move(made_);
}

void BitVectors::Builder::place_rules() {
  bits_.resize(rules_.size());
  auto& placed = made_.rules_;
  for (std::size_t g = 0; g < kGroups; ++g) {
    if (std::find(groups_.begin(), groups_.end(), g) == groups_.end()) continue;
    const std::size_t begin = (placed.size() + kSummaryRules - 1) / kSummaryRules;
    placed.resize(begin * kSummaryRules, kNone);
    for (std::uint32_t i = 0; i < rules_.size(); ++i) {
      if (groups_[i] != g) continue;
      bits_[i] = static_cast<std::uint32_t>(placed.size());
      placed.push_back(rules_[i]);
    }
    made_.groups_.push_back({begin, (placed.size() + kSummaryRules - 1) / kSummaryRules});
  }
  made_.summaries_ = (placed.size() + kSummaryRules - 1) / kSummaryRules;
  placed.resize((placed.size() + 63) / 64 * 64 + 64, kNone);
  placed.shrink_to_fit();
}

Statements BitVectors::Builder::of_numbers(std::span<const Asked> asked, IndexedField& field) {
  struct Held {
    std::uint32_t rule;
    NumberRange range;
  };
  constexpr std::uint32_t kLast = 0xffff'ffff;
  Statements made;
  std::vector<Held> held;
  std::vector<std::uint32_t> starts;
  for (const auto& [rule, criterion] : asked) {
    made.asking.push_back(rule);
    for (const NumberRange& range : ranges(*criterion)) {
      held.push_back({rule, range});
      starts.push_back(range.first);
      if (range.last != kLast) starts.push_back(range.last + 1);
    }
  }
  const auto& classes = field.classes.emplace<NumberClasses>(std::move(starts));
  for (const auto& [rule, range] : held) {
    if (range.first == 0)
      made.beginning.push_back(rule);
    else
      made.changes.push_back({classes.find(range.first) + 1, rule, true});
    if (range.last != kLast)
      made.changes.push_back({classes.find(range.last + 1) + 1, rule, false});
  }
  for (std::uint32_t row = 0; row <= classes.size(); ++row) made.likes.push_back(row - 1);
  return made;
}

Statements BitVectors::Builder::of_addresses(std::span<const Asked> asked, IndexedField& field) {
  Statements made;
  std::vector<Prefix> prefixes;
  for (const auto& [rule, criterion] : asked) {
    made.asking.push_back(rule);
    if (criterion->any.empty()) made.beginning.push_back(rule);
    for (const Value& value : criterion->any)
      if (const auto* prefix = std::get_if<Prefix>(&value); prefix && !is_in(*prefix, *criterion)) {
        prefixes.push_back(*prefix);
        made.changes.push_back({0, rule, true});
      }
    for (const Value& value : criterion->none)
      if (const auto* prefix = std::get_if<Prefix>(&value)) {
        prefixes.push_back(*prefix);
        made.changes.push_back({0, rule, false});
      }
  }
  auto [tree, nodes] = make_tree(prefixes);
  for (std::size_t i = 0; i < nodes.size(); ++i) made.changes[i].row = nodes[i] + 1;
  made.likes = {0, 0};
  for (std::uint32_t node = 1; node < tree.size(); ++node)
    made.likes.push_back(tree.parent(node) + 1);
  field.classes = std::move(tree);
  return made;
}

BitRows BitVectors::Builder::make_rows(Statements& statements) const {
  auto& [asking, beginning, changes, likes] = statements;
  const auto flip = [this](std::vector<std::uint64_t>& bits, std::uint32_t rule) {
    bits[bits_[rule] / 64] ^= std::uint64_t{1} << bits_[rule] % 64;
  };
  std::vector<std::uint64_t> first(made_.rules_.size() / 64 - 1);
  for (std::uint32_t rule = 0; rule < rules_.size(); ++rule) flip(first, rule);
  for (const std::uint32_t rule : asking) flip(first, rule);
  std::vector<std::uint64_t> second = first;
  for (const std::uint32_t rule : beginning) flip(second, rule);

  for (RowChange& change : changes) change.bit = bits_[change.bit];
  std::sort(changes.begin(), changes.end(), [](const RowChange& a, const RowChange& b) {
    return a.row != b.row ? a.row < b.row : a.bit < b.bit;
  });
  BitRows rows(first, second);
  std::span<const RowChange> rest = changes;
  for (std::uint32_t row = 2; row < likes.size(); ++row) {
    std::size_t count = 0;
    while (count < rest.size() && rest[count].row == row) ++count;
    rows.append(likes[row], rest.first(count));
    rest = rest.subspan(count);
  }
  rows.shrink();
  return rows;
}

BitVectors BitVectors::without(const RuleTable& table, std::span<const std::uint32_t> rules,
                               Pair pair) {
  Builder builder(table, rules);
  builder.collect(pair);
  return builder.build();
}

BitVectors BitVectors::grouped(const RuleTable& table, std::span<const std::uint32_t> rules,
                               Pair pair) {
  Builder builder(table, rules);
  builder.collect({kNoDimension, kNoDimension});
  builder.group(pair);
  return builder.build();
}

std::size_t BitVectors::bytes() const noexcept {
  std::size_t sum = fields_.capacity() * sizeof(IndexedField) + groups_.capacity() * sizeof(Group) +
                    rules_.capacity() * sizeof(std::uint32_t);
  for (const IndexedField& field : fields_) {
    sum += field.rows.bytes();
    sum += std::visit([](const auto& classes) { return classes.bytes(); }, field.classes);
  }
  return sum;
}

}  // namespace nfsteer
