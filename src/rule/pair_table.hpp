// Rules by the prefixes they have in two fields of addresses: a hash table from
// a pair of prefixes to the rules that ask for just these. A subject's rules are
// those of all pairs of a prefix around its one address and a prefix around the
// other. Real prefixes lie but a few in each other, and of those pairs most are
// passed over: by what the node of a prefix knows of the nodes it is paired with
// (64 bits, a Bloom filter), and because no rule of it comes before the best so
// far. To be chosen for more rules than bit vectors have memory for: here it is
// linear in the rules, and in how deep their prefixes lie in each other. Hash
// tables of what rules have in common go back to Tuple Space Search (Srinivasan,
// Suri, Varghese: SIGCOMM 1999).
//
// Beside a rule are its ranges in three fields of numbers, compared at once. A
// pair with many rules has bit vectors for all other fields. Where that is not
// all that a rule asks for, its residue is verified.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "bit_vectors.hpp"
#include "field_classes.hpp"
#include "residue.hpp"
#include "rule_table.hpp"

namespace nfsteer {

class PairTable {
 public:
  // The rules are stored once for each pair of their prefixes, at most so often.
  static constexpr std::size_t kPairsMax = 64;
  // Of the rule, with the dimensions `pair`.
  static std::size_t pairs(const RuleTable& table, std::uint32_t rule, BitVectors::Pair pair);

  PairTable() = default;
  // Of these rules of the table, ascending.
  PairTable(const RuleTable& table, std::span<const std::uint32_t> rules, BitVectors::Pair pair);

  // The first rule, from `from` on and before `best`, that holds and that
  // accept(rule) accepts; `best` where there is none.
  template <typename Accept>
  std::uint32_t find(const Subject& subject, std::uint32_t from, std::uint32_t best,
                     const Accept& accept) const noexcept;

  std::size_t bytes() const noexcept;

 private:
  static constexpr std::uint32_t kNone = Classifier::kNone;
  static constexpr std::size_t kNumbers = 3;
  // Eight numbers of 16 bits, compared at once. Those of a rule are for each
  // field the first of its range and the complement of the last, then zeros;
  // those of a subject for each field the number and its complement. A rule's
  // ranges hold where none of its numbers is above the subject's. A subject
  // without the field has two zeros: so a rule holds that allows all.
  using Lanes [[gnu::vector_size(16)]] = std::uint16_t;
  using Words [[gnu::vector_size(16)]] = std::uint64_t;

  struct Entry {
    std::array<std::uint16_t, 2 * kNumbers> lanes{};
    std::uint32_t rule = 0;  // with the bits below
  };
  static constexpr std::uint32_t kLast = 0x8000'0000;    // of its pair
  static constexpr std::uint32_t kVerify = 0x4000'0000;  // has residue
  static constexpr std::uint32_t kRule = 0x3fff'ffff;

  // A prefix in one of the two fields.
  struct Node {
    std::uint32_t number = PrefixTree::kRoot;
    std::uint32_t first_rule = kNone;
    std::uint64_t partners = 0;  // the bits of the nodes it is paired with
  };
  static std::uint64_t bit_of(std::uint32_t node) noexcept { return std::uint64_t{1} << node % 64; }
  // All that lie around a prefix are copied to one place: walking from node to
  // node would wait for memory at each.
  struct Side {
    const Field* field = nullptr;  // nullptr: rules have no second field of addresses
    PrefixTree tree;
    std::vector<std::uint32_t> begins;  // in around, by node
    std::vector<Node> around;           // of each node: itself, its parent, ... the root

    const Node* find(const Subject& subject) const noexcept;
  };
  struct Slot {
    std::uint32_t a = kNone, b = kNone;  // nodes; kNone: free
    std::uint32_t first_rule = kNone;
    std::uint32_t place = 0;  // of the first entry, or with kLarge of the bit vectors
  };
  static constexpr std::uint32_t kLarge = 0x8000'0000;
  struct Number {
    const Field* field = nullptr;
    std::uint32_t dimension = kNoDimension;
  };
  struct Pair {
    std::uint32_t a = 0, b = 0;
  };
  class Builder;

  Lanes lanes_of(const Subject& subject) const noexcept;
  // Where the pair is looked for first; no index yet.
  static std::size_t hash(std::uint32_t a, std::uint32_t b) noexcept {
    return (std::uint64_t{a} << 32 | b) * 0x9e37'79b9'7f4a'7c15u >> 32;
  }
  const Slot* find_slot(Pair pair) const noexcept;
  template <typename Accept>
  std::uint32_t find_at(const Slot& slot, const Subject& subject, Lanes wanted, std::uint32_t from,
                        std::uint32_t best, const Accept& accept) const noexcept;

  std::array<Side, 2> sides_;
  std::array<Number, kNumbers> numbers_;
  std::vector<Slot> slots_;     // none, or a power of two
  std::vector<Entry> entries_;  // pair by pair, each by ascending rule
  std::vector<BitVectors> large_;
  Residue residue_;
};

inline const PairTable::Node* PairTable::Side::find(const Subject& subject) const noexcept {
  const Address* address = field ? field->address(subject) : nullptr;
  const std::uint32_t node = address ? tree.find(*address) : PrefixTree::kRoot;
  return around.data() + begins.data()[node];
}

// Put together in registers: what is written to memory in small parts and read as
// a whole is waited for.
inline PairTable::Lanes PairTable::lanes_of(const Subject& subject) const noexcept {
  std::array<std::uint64_t, kNumbers> both{};  // a number and its complement
  for (std::size_t i = 0; i < kNumbers; ++i) {
    if (!numbers_[i].field) continue;
    const auto number = numbers_[i].field->number(subject);
    if (number && *number <= 0xffff) both[i] = *number | (~*number & 0xffffu) << 16;
  }
  constexpr std::uint64_t kWhereEntriesHaveTheirRule = 0xffff'ffff'0000'0000;
  return reinterpret_cast<Lanes>(
      Words{both[0] | both[1] << 32, both[2] | kWhereEntriesHaveTheirRule});
}

inline const PairTable::Slot* PairTable::find_slot(Pair pair) const noexcept {
  const Slot* slots = slots_.data();
  for (std::size_t i = hash(pair.a, pair.b);; ++i) {
    const Slot& slot = slots[i & (slots_.size() - 1)];
    if (slot.a == pair.a && slot.b == pair.b) return &slot;
    if (slot.a == kNone) return nullptr;
  }
}

template <typename Accept>
std::uint32_t PairTable::find(const Subject& subject, std::uint32_t from, std::uint32_t best,
                              const Accept& accept) const noexcept {
  if (slots_.empty()) return best;
  const Lanes wanted = lanes_of(subject);
  const Node* const others = sides_[1].find(subject);
  for (const Node* node = sides_[0].find(subject);; ++node) {
    if (node->first_rule < best)
      for (const Node* other = others;; ++other) {
        if ((node->partners & bit_of(other->number)) != 0 &&
            (other->partners & bit_of(node->number)) != 0 && other->first_rule < best)
          if (const Slot* slot = find_slot({node->number, other->number});
              slot && slot->first_rule < best)
            best = find_at(*slot, subject, wanted, from, best, accept);
        if (other->number == PrefixTree::kRoot) break;
      }
    if (node->number == PrefixTree::kRoot) return best;
  }
}

template <typename Accept>
std::uint32_t PairTable::find_at(const Slot& slot, const Subject& subject, Lanes wanted,
                                 std::uint32_t from, std::uint32_t best,
                                 const Accept& accept) const noexcept {
  if (slot.place & kLarge)
    return large_.data()[slot.place & ~kLarge].find(subject, from, best, [&](std::uint32_t rule) {
      return (residue_.empty() || residue_.holds(rule, subject)) && accept(rule);
    });
  for (const Entry* entry = entries_.data() + slot.place;; ++entry) {
    const std::uint32_t rule = entry->rule & kRule;
    if (rule >= best) return best;
    Lanes lanes;
    std::memcpy(&lanes, entry, sizeof lanes);
    const auto above = reinterpret_cast<Words>(lanes > wanted);
    if ((above[0] | above[1]) == 0 && rule >= from &&
        ((entry->rule & kVerify) == 0 || residue_.holds(rule, subject)) && accept(rule))
      return rule;
    if (entry->rule & kLast) return best;
  }
}

}  // namespace nfsteer
