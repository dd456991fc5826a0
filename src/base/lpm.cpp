#include "nfsteer/base/lpm.hpp"

#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <utility>

namespace nfsteer {
namespace {

template <typename Key>
constexpr unsigned kBits = sizeof(Key) * 8;
constexpr unsigned kRootBits = 16;
constexpr unsigned kStride = 8;
constexpr std::size_t kSlots = 1u << kStride;

// A word of the root or of a node is a value, or with this bit set the place of
// a node in nodes_.
constexpr std::uint32_t kChild = 0x8000'0000;

// A node, in words of 32 bits:
//   8       a bit for each slot, 64 bits to a part
//   1       how many bits are set in the parts before each, a byte for each part
//   1...256 a word for each bit that is set
// Nodes begin at even words, so that no part lies across two cache lines.
constexpr std::size_t kCounts = 8;
constexpr std::size_t kWords = 9;
using Parts = std::array<std::uint64_t, kSlots / 64>;

template <typename Key>
std::size_t slot_of(Key key, unsigned depth) noexcept {
  return static_cast<std::size_t>(key >> (kBits<Key> - kStride - depth)) % kSlots;
}

// Whether the key has only zeros behind its first `depth` bits.
template <typename Key>
bool ends_at(Key key, unsigned depth) noexcept {
  return depth == kBits<Key> || static_cast<Key>(key << depth) == 0;
}

// The word that the trie has for the key. Inlined to be compiled for its
// caller's instruction set.
template <typename Key>
[[gnu::always_inline]] inline std::uint32_t walk(const std::uint32_t* root,
                                                 const std::uint32_t* nodes, Key key) noexcept {
  std::uint32_t word = root[static_cast<std::size_t>(key >> (kBits<Key> - kRootBits))];
  for (key <<= kRootBits; word & kChild; key <<= kStride) {
    const std::uint32_t* node = nodes + (word & ~kChild);
    const auto slot = slot_of(key, 0);
    std::uint64_t part;
    std::memcpy(&part, node + slot / 64 * 2, sizeof part);
    const std::uint32_t before = node[kCounts] >> (slot / 64 * 8) & 0xff;
    const auto begun = static_cast<std::uint32_t>(std::popcount(part << (63 - slot % 64)));
    word = node[kWords + before + begun - 1];
  }
  return word;
}

// Counting bits is one instruction of all but the first x86-64 processors, but
// not of the set that programs for every one of them are compiled for.
template <typename Key>
[[gnu::noinline]] std::uint32_t walk_anywhere(const std::uint32_t* root, const std::uint32_t* nodes,
                                              Key key) noexcept {
  return walk(root, nodes, key);
}
#ifdef __x86_64__
template <typename Key>
[[gnu::target("popcnt")]] std::uint32_t walk_by_popcnt(const std::uint32_t* root,
                                                       const std::uint32_t* nodes,
                                                       Key key) noexcept {
  return walk(root, nodes, key);
}
#endif

}  // namespace

// A node that grows at the end of nodes_, slot by slot in ascending order.
template <typename Key>
struct Lpm<Key>::Node {
  std::vector<std::uint32_t>& nodes;
  std::size_t start;
  Parts parts{};

  explicit Node(std::vector<std::uint32_t>& all) : nodes(all), start((all.size() + 1) / 2 * 2) {
    assert(start < kChild - kWords - kSlots);
    nodes.resize(start + kWords);
  }

  // The word holds from the slot on. It replaces what began at the same slot.
  void begin(std::size_t slot, std::uint32_t word) {
    const std::uint64_t bit = std::uint64_t{1} << slot % 64;
    if (parts[slot / 64] & bit)
      nodes.back() = word;
    else
      nodes.push_back(word);
    parts[slot / 64] |= bit;
  }

  // Writes what stands before the words.
  void finish() {
    std::uint32_t counts = 0, before = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      counts |= before << 8 * i;
      before += static_cast<std::uint32_t>(std::popcount(parts[i]));
    }
    std::memcpy(&nodes[start], parts.data(), sizeof parts);
    nodes[start + kCounts] = counts;
  }
};

template <typename Key>
Lpm<Key>::Lpm(std::span<const Entry> sorted) {
  auto intervals = flatten(sorted);
  if (intervals.size() > kSearchedMax) {
    build_root(intervals);
    nodes_.shrink_to_fit();
  } else {
    intervals_ = std::move(intervals);
    intervals_.shrink_to_fit();
  }
}

template <typename Key>
std::uint32_t Lpm<Key>::find(Key key) const noexcept {
  if (root_.empty()) return search(key);
#ifdef __x86_64__
  if (__builtin_cpu_supports("popcnt")) return walk_by_popcnt(root_.data(), nodes_.data(), key);
#endif
  return walk_anywhere(root_.data(), nodes_.data(), key);
}

template <typename Key>
std::size_t Lpm<Key>::bytes() const noexcept {
  return intervals_.capacity() * sizeof(Interval) +
         (root_.capacity() + nodes_.capacity()) * sizeof(std::uint32_t);
}

// The intervals in ascending order, the first from 0; neighbours differ.
template <typename Key>
auto Lpm<Key>::flatten(std::span<const Entry> sorted) -> std::vector<Interval> {
  constexpr Key kLast = ~Key{0};
  std::vector<Interval> made;
  made.reserve(2 * sorted.size() + 1);
  const auto begin = [&made](Key first, std::uint32_t value) {
    if (!made.empty() && made.back().first == first) made.pop_back();
    if (made.empty() || made.back().value != value) made.push_back({first, value});
  };

  struct Open {
    Key last;
    std::uint32_t value;
  };
  std::vector<Open> open{{kLast, kNone}};  // what contains the current key, innermost last
  const auto close = [&] {
    const Key last = open.back().last;
    open.pop_back();
    if (last != kLast) begin(last + 1, open.back().value);
  };

  begin(0, kNone);
  for (const Entry& entry : sorted) {
    while (open.back().last < entry.first) close();
    begin(entry.first, entry.value);
    const Key host = entry.length == kBits<Key> ? Key{0} : static_cast<Key>(kLast >> entry.length);
    open.push_back({static_cast<Key>(entry.first | host), entry.value});
  }
  while (open.size() > 1) close();
  return made;
}

// Takes away, from the front of the rest, those that begin with the same
// `depth` bits.
template <typename Key>
auto Lpm<Key>::take_alike(Intervals& rest, unsigned depth) noexcept -> Intervals {
  const auto shift = kBits<Key> - depth;
  std::size_t count = 1;
  while (count < rest.size() && rest[count].first >> shift == rest[0].first >> shift) ++count;
  const Intervals alike = rest.first(count);
  rest = rest.subspan(count);
  return alike;
}

template <typename Key>
void Lpm<Key>::build_root(Intervals intervals) {
  root_.reserve(std::size_t{1} << kRootBits);
  std::uint32_t value = kNone;
  while (!intervals.empty()) {
    const Intervals alike = take_alike(intervals, kRootBits);
    root_.resize(static_cast<std::size_t>(alike[0].first >> (kBits<Key> - kRootBits)), value);
    if (alike.size() > 1 || !ends_at(alike[0].first, kRootBits))
      root_.push_back(kChild | build_node(alike, kRootBits, value));
    value = alike.back().value;
  }
  root_.resize(std::size_t{1} << kRootBits, value);
}

// Makes the node of the keys that have the same first `depth` bits as the
// intervals that begin among them; `value` is that of the key before. Returns
// the node's place.
template <typename Key>
std::uint32_t Lpm<Key>::build_node(Intervals inside, unsigned depth, std::uint32_t value) {
  struct Child {
    std::size_t word;  // index in nodes_
    Intervals inside;
    std::uint32_t value;
  };
  std::vector<Child> children;
  Node node(nodes_);
  node.begin(0, value);
  while (!inside.empty()) {
    const Intervals alike = take_alike(inside, depth + kStride);
    const auto slot = slot_of(alike[0].first, depth);
    if (alike.size() > 1 || !ends_at(alike[0].first, depth + kStride)) {
      node.begin(slot, kChild);
      children.push_back({nodes_.size() - 1, alike, value});
      if (slot + 1 < kSlots) node.begin(slot + 1, alike.back().value);
    } else {
      node.begin(slot, alike[0].value);
    }
    value = alike.back().value;
  }
  node.finish();
  for (const Child& child : children)
    nodes_[child.word] = kChild | build_node(child.inside, depth + kStride, child.value);
  return static_cast<std::uint32_t>(node.start);
}

template <typename Key>
std::uint32_t Lpm<Key>::search(Key key) const noexcept {
  const Interval* found = intervals_.data();
  for (std::size_t count = intervals_.size(); count > 1;) {
    const std::size_t half = count / 2;
    found += half & -std::size_t{found[half].first <= key};
    count -= half;
  }
  return found->value;
}

template class Lpm<std::uint32_t>;
template class Lpm<Key128>;

}  // namespace nfsteer
