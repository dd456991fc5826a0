// A cache of fixed size for one thread: eight-way set-associative, entries are
// forgotten after a time or all at once. What tells a set's entries apart, and
// their age, is on one cache line: a miss costs that line, a hit its entry too.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "nfsteer/base/huge_pages.hpp"
#include "nfsteer/base/tally.hpp"

namespace nfsteer {

struct CacheCounts {
  std::uint64_t entries = 0;  // kept since the last forget_all(), in time or not
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t evictions = 0;  // of entries that were still in time
};

// Key and Value are plain values; Key has ==. Allocates in its constructor only.
template <typename Key, typename Value>
class Cache {
 public:
  // Room for `entries`, rounded up to eight times a power of two; 0: it stays empty.
  Cache(std::size_t entries, std::uint32_t timeout_s)
      : sets_(entries == 0 ? 0 : std::bit_ceil((entries + kWays - 1) / kWays)),
        timeout_s_(timeout_s) {}

  // The key's value, or nullptr where there is none or it is older than the
  // time-out. `now_s` counts seconds and never goes back. A hit does not prolong
  // an entry's life. Counts a hit or a miss. The pointer holds until insert().
  const Value* find(const Key& key, std::uint64_t hash, std::uint32_t now_s) noexcept {
    if (sets_.empty()) return nullptr;
    const Set& set = set_of(hash);
    __builtin_prefetch(&set.entries[home_of(hash)]);
    if (const auto way = way_of(set, key, hash, now_s)) {
      hits_.add(1);
      return &set.entries[*way].value;
    }
    misses_.add(1);
    return nullptr;
  }

  // Keeps the value in place of that which the key has; else an entry of its set that
  // is out of time makes room, or the one in the key's home.
  void insert(const Key& key, std::uint64_t hash, const Value& value,
              std::uint32_t now_s) noexcept {
    if (sets_.empty()) return;
    Set& set = set_of(hash);
    if (set.epoch != epoch_) {
      set.epoch = epoch_;
      set.tags.fill(kFree);
    }
    const auto known = way_of(set, key, hash, now_s);
    const std::size_t way = known ? *known : make_room(set, home_of(hash), now_s);
    if (set.tags[way] == kFree) entries_.add(1);
    set.tags[way] = tag_of(hash);
    set.inserted_s[way] = now_s;
    set.entries[way] = {key, value};
  }

  // Every entry is forgotten, at once and in constant time.
  void forget_all() noexcept {
    ++epoch_;
    entries_.set(0);
  }

  // Whether it can hold anything.
  bool is_on() const noexcept { return !sets_.empty(); }

  // Any thread.
  CacheCounts counts() const noexcept {
    return {entries_.read(), hits_.read(), misses_.read(), evictions_.read()};
  }

 private:
  static constexpr std::size_t kWays = 8;
  static constexpr std::uint16_t kFree = 0;
  struct Entry {
    Key key;
    Value value;
  };
  struct alignas(64) Set {
    std::array<std::uint16_t, kWays> tags{};  // of the hash; kFree: no entry
    std::array<std::uint32_t, kWays> inserted_s{};
    std::uint32_t epoch = 0;  // of all entries
    alignas(64) std::array<Entry, kWays> entries;
  };

  Set& set_of(std::uint64_t hash) noexcept { return sets_[hash & (sets_.size() - 1)]; }
  // Where in its set a key is kept if there is room: most entries are asked for
  // together with their tags.
  static std::size_t home_of(std::uint64_t hash) noexcept { return (hash >> 45) % kWays; }
  // The part of the hash that does not choose the set; never kFree.
  static std::uint16_t tag_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint16_t>(hash >> 48 | 1);
  }
  // A bit in the byte of each way that has the tag, all compared at once.
  using Lanes = std::uint64_t;
  static Lanes ways_of(const Set& set, std::uint16_t tag) noexcept {
    using Tags [[gnu::vector_size(16)]] = std::uint16_t;
    using Bytes [[gnu::vector_size(8)]] = std::uint8_t;
    Tags tags;
    std::memcpy(&tags, set.tags.data(), sizeof tags);
    const auto equal = __builtin_convertvector(tags == tag, Bytes) & 1;
    return std::bit_cast<Lanes>(equal);
  }
  std::optional<std::size_t> way_of(const Set& set, const Key& key, std::uint64_t hash,
                                    std::uint32_t now_s) const noexcept {
    for (Lanes ways = ways_of(set, tag_of(hash)); ways != 0; ways &= ways - 1) {
      const auto way = static_cast<std::size_t>(std::countr_zero(ways)) / 8;
      if (is_alive(set, way, now_s) && set.entries[way].key == key) return way;
    }
    return std::nullopt;
  }
  std::size_t make_room(const Set& set, std::size_t home, std::uint32_t now_s) noexcept {
    for (std::size_t i = 0; i < kWays; ++i)
      if (const std::size_t way = (home + i) % kWays; !is_alive(set, way, now_s)) return way;
    evictions_.add(1);
    return home;
  }
  bool is_alive(const Set& set, std::size_t way, std::uint32_t now_s) const noexcept {
    return set.epoch == epoch_ && set.tags[way] != kFree &&
           now_s - set.inserted_s[way] < timeout_s_;
  }

  std::vector<Set, HugePages<Set>> sets_;
  std::uint32_t timeout_s_;
  std::uint32_t epoch_ = 1;
  Tally entries_, hits_, misses_, evictions_;
};

}  // namespace nfsteer
