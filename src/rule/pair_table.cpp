#include "pair_table.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace nfsteer {
namespace {

// More rules of one pair have bit vectors: by then reading the entries one after
// the other takes longer.
constexpr std::size_t kEntriesMax = 48;

constexpr std::uint32_t kLastPort = 0xffff;

// What lanes say of a criterion: all of it, or of the numbers for which it holds
// the least range.
struct LaneRange {
  NumberRange range{0, kLastPort};
  bool exact = false;
};

LaneRange lane_range(const Criterion& criterion) {
  if (criterion.any.size() == 1 && criterion.none.empty())
    if (const auto* only = std::get_if<Interval>(&criterion.any[0]);
        only && only->first <= only->last && only->last < kLastPort)
      return {{only->first, only->last}, true};
  const auto held = ranges(criterion);
  if (held.empty()) return {{1, 0}, true};  // never holds
  const NumberRange hull{held.front().first, held.back().last};
  if (hull.last > kLastPort || (hull.first == 0 && hull.last == kLastPort)) return {};
  return {hull, held.size() == 1};
}

const Criterion* find_criterion(const RuleTable& table, std::uint32_t rule,
                                std::uint32_t dimension) noexcept {
  for (const Constraint& constraint : table.constraints(rule))
    if (constraint.dimension == dimension && dimension != kNoDimension) return constraint.criterion;
  return nullptr;
}

}  // namespace

class PairTable::Builder {
 public:
  Builder(PairTable& made, const RuleTable& table, std::span<const std::uint32_t> rules,
          BitVectors::Pair pair)
      : made_(made), table_(table), rules_(rules), pair_(pair) {}

  void choose_numbers();
  void make_entries();
  void make_side(std::size_t side);
  void pair_up();
  void make_slots();
  void copy_around(std::size_t side);

 private:
  // A rule at a pair of nodes.
  struct Member {
    std::uint64_t nodes;
    std::uint32_t rule;  // index in rules_
  };
  // Where the nodes of a rule's prefixes begin, by index in rules_; and the end.
  struct Nodes {
    std::vector<std::uint32_t> begins;
    std::vector<std::uint32_t> nodes;

    std::span<const std::uint32_t> of(std::uint32_t rule) const noexcept {
      return std::span(nodes).subspan(begins[rule], begins[rule + 1] - begins[rule]);
    }
  };

  bool add_lanes(Entry& entry, const Constraint& constraint) const;
  std::uint32_t make_place(std::span<const Member> members);
  void add_slot(Slot slot) noexcept;

  PairTable& made_;
  const RuleTable& table_;
  std::span<const std::uint32_t> rules_;
  BitVectors::Pair pair_;
  std::vector<Entry> entries_;                // as rules_
  std::array<Nodes, 2> nodes_;                // of the rules
  std::array<std::vector<Node>, 2> of_side_;  // by number
  std::vector<Member> members_;
};

// The fields of numbers that most rules ask for.
void PairTable::Builder::choose_numbers() {
  const auto dimensions = table_.dimensions();
  std::vector<std::uint32_t> found;
  for (std::uint32_t d = 0; d < dimensions.size(); ++d)
    if (!dimensions[d].is_address() && dimensions[d].mask == 0xffff'ffff) found.push_back(d);
  std::stable_sort(found.begin(), found.end(), [&](std::uint32_t a, std::uint32_t b) {
    return dimensions[a].rules > dimensions[b].rules;
  });
  for (std::size_t i = 0; i < std::min(found.size(), kNumbers); ++i)
    made_.numbers_[i] = {dimensions[found[i]].field, found[i]};
}

void PairTable::Builder::make_entries() {
  entries_.reserve(rules_.size());
  for (const std::uint32_t rule : rules_) {
    Entry& entry = entries_.emplace_back();
    entry.rule = rule;
    for (const Constraint& constraint : table_.constraints(rule)) {
      const auto& [dimension, criterion] = constraint;
      const bool paired =
          dimension != kNoDimension && (dimension == pair_[0] || dimension == pair_[1]);
      const bool exact = paired ? !criterion->any.empty() && criterion->none.empty()
                                : add_lanes(entry, constraint);
      if (exact) continue;
      entry.rule |= kVerify;
      made_.residue_.add(rule, *criterion);
    }
  }
}

// Whether the lanes then say all of the criterion.
bool PairTable::Builder::add_lanes(Entry& entry, const Constraint& constraint) const {
  for (std::size_t i = 0; i < kNumbers; ++i)
    if (made_.numbers_[i].field && made_.numbers_[i].dimension == constraint.dimension) {
      const auto [range, exact] = lane_range(*constraint.criterion);
      entry.lanes[2 * i] = static_cast<std::uint16_t>(range.first);
      entry.lanes[2 * i + 1] = static_cast<std::uint16_t>(~range.last);
      return exact;
    }
  return false;
}

void PairTable::Builder::make_side(std::size_t number) {
  Side& side = made_.sides_[number];
  auto& [begins, nodes] = nodes_[number];
  if (pair_[number] != kNoDimension) side.field = table_.dimensions()[pair_[number]].field;
  std::vector<Prefix> prefixes;
  begins = {0};
  for (const std::uint32_t rule : rules_) {
    if (const Criterion* criterion = find_criterion(table_, rule, pair_[number]))
      for (const Value& value : criterion->any)
        if (const auto* prefix = std::get_if<Prefix>(&value)) prefixes.push_back(*prefix);
    begins.push_back(static_cast<std::uint32_t>(prefixes.size()));
  }
  auto made = make_tree(prefixes);
  nodes = std::move(made.nodes);
  side.tree = std::move(made.tree);
  of_side_[number].resize(side.tree.size());
  for (std::uint32_t node = 0; node < side.tree.size(); ++node)
    of_side_[number][node].number = node;
}

void PairTable::Builder::pair_up() {
  static constexpr std::uint32_t kRootOnly[] = {PrefixTree::kRoot};
  for (std::uint32_t i = 0; i < rules_.size(); ++i) {
    std::array<std::span<const std::uint32_t>, 2> ends;
    for (const std::size_t side : {0u, 1u}) {
      const Criterion* criterion = find_criterion(table_, rules_[i], pair_[side]);
      ends[side] = criterion && !criterion->any.empty() ? nodes_[side].of(i) : kRootOnly;
    }
    for (const std::uint32_t a : ends[0])
      for (const std::uint32_t b : ends[1]) {
        members_.push_back({std::uint64_t{a} << 32 | b, i});
        Node &left = of_side_[0][a], &right = of_side_[1][b];
        left.first_rule = std::min(left.first_rule, rules_[i]);
        right.first_rule = std::min(right.first_rule, rules_[i]);
        left.partners |= bit_of(b);
        right.partners |= bit_of(a);
      }
  }
  std::sort(members_.begin(), members_.end(), [](const Member& a, const Member& b) {
    return a.nodes != b.nodes ? a.nodes < b.nodes : a.rule < b.rule;
  });
}

void PairTable::Builder::copy_around(std::size_t number) {
  Side& side = made_.sides_[number];
  const std::vector<Node>& nodes = of_side_[number];
  side.begins.reserve(nodes.size());
  for (std::uint32_t node = 0; node < nodes.size(); ++node) {
    side.begins.push_back(static_cast<std::uint32_t>(side.around.size()));
    for (std::uint32_t each = node; each != PrefixTree::kRoot; each = side.tree.parent(each))
      side.around.push_back(nodes[each]);
    side.around.push_back(nodes[PrefixTree::kRoot]);
  }
  side.around.shrink_to_fit();
}

void PairTable::Builder::make_slots() {
  std::size_t pairs = 0;
  for (std::size_t i = 0; i < members_.size(); ++i)
    pairs += i == 0 || members_[i].nodes != members_[i - 1].nodes;
  if (pairs == 0) return;
  made_.slots_.resize(std::bit_ceil(pairs * 2));
  for (std::span<const Member> rest = members_; !rest.empty();) {
    std::size_t count = 1;
    while (count < rest.size() && rest[count].nodes == rest[0].nodes) ++count;
    add_slot({static_cast<std::uint32_t>(rest[0].nodes >> 32),
              static_cast<std::uint32_t>(rest[0].nodes), rules_[rest[0].rule],
              make_place(rest.first(count))});
    rest = rest.subspan(count);
  }
  made_.entries_.shrink_to_fit();
  made_.large_.shrink_to_fit();
}

std::uint32_t PairTable::Builder::make_place(std::span<const Member> members) {
  if (members.size() > kEntriesMax) {
    std::vector<std::uint32_t> rules;
    for (const Member& member : members)
      if (rules.empty() || rules.back() != rules_[member.rule])
        rules.push_back(rules_[member.rule]);
    made_.large_.push_back(BitVectors::without(table_, rules, pair_));
    return static_cast<std::uint32_t>(made_.large_.size() - 1) | kLarge;
  }
  const auto place = static_cast<std::uint32_t>(made_.entries_.size());
  for (const Member& member : members) made_.entries_.push_back(entries_[member.rule]);
  made_.entries_.back().rule |= kLast;
  return place;
}

void PairTable::Builder::add_slot(Slot slot) noexcept {
  std::size_t i = hash(slot.a, slot.b);
  while (made_.slots_[i & (made_.slots_.size() - 1)].a != kNone) ++i;
  made_.slots_[i & (made_.slots_.size() - 1)] = slot;
}

std::size_t PairTable::pairs(const RuleTable& table, std::uint32_t rule, BitVectors::Pair pair) {
  std::size_t product = 1;
  for (const std::uint32_t dimension : pair) {
    const Criterion* criterion = find_criterion(table, rule, dimension);
    if (criterion && !criterion->any.empty()) product *= criterion->any.size();
  }
  return product;
}

PairTable::PairTable(const RuleTable& table, std::span<const std::uint32_t> rules,
                     BitVectors::Pair pair) {
  assert(table.size() <= kRule);
  Builder builder(*this, table, rules, pair);
  builder.choose_numbers();
  builder.make_entries();
  builder.make_side(0);
  builder.make_side(1);
  builder.pair_up();
  builder.copy_around(0);
  builder.copy_around(1);
  builder.make_slots();
}

std::size_t PairTable::bytes() const noexcept {
  std::size_t sum = slots_.capacity() * sizeof(Slot) + entries_.capacity() * sizeof(Entry) +
                    large_.capacity() * sizeof(BitVectors) + residue_.bytes();
  for (const Side& side : sides_)
    sum += side.tree.bytes() + side.begins.capacity() * sizeof(std::uint32_t) +
           side.around.capacity() * sizeof(Node);
  for (const BitVectors& each : large_) sum += each.bytes();
  return sum;
}

}  // namespace nfsteer
