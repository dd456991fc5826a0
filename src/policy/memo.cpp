// Eight-way set-associative memo. A set's tags are compared before any entry is
// touched, so that a miss costs one cache line.
#include <bit>

#include "nfsteer/policy.hpp"

namespace nfsteer {
namespace {

// The part of the hash that does not choose the set; never 0.
std::uint16_t tag_of(std::uint64_t hash) noexcept {
  return static_cast<std::uint16_t>(hash >> 48 | 1);
}

}  // namespace

Memo::Memo(std::size_t entries, std::uint32_t timeout_s)
    : sets_(std::bit_ceil((entries + kWays - 1) / kWays)), timeout_s_(timeout_s) {}

bool Memo::alive(const Entry& entry, std::uint32_t now_s) const noexcept {
  return entry.epoch == epoch_ && now_s - entry.inserted_s < timeout_s_;
}

const Decision* Memo::find(const FiveTuple& tuple, std::uint64_t hash,
                           std::uint32_t now_s) noexcept {
  const Set& set = sets_[hash & (sets_.size() - 1)];
  const std::uint16_t tag = tag_of(hash);
  for (std::size_t way = 0; way < kWays; ++way) {
    const Entry& entry = set.entries[way];
    if (set.tags[way] == tag && entry.tuple == tuple && alive(entry, now_s)) {
      ++counters_.hits;
      return &entry.decision;
    }
  }
  ++counters_.misses;
  return nullptr;
}

void Memo::insert(const FiveTuple& tuple, std::uint64_t hash, const Decision& decision,
                  std::uint32_t now_s) noexcept {
  Set& set = sets_[hash & (sets_.size() - 1)];
  std::size_t way = 0;
  while (way < kWays && set.tags[way] != 0 && alive(set.entries[way], now_s)) ++way;
  if (way == kWays) {
    way = set.next_victim++ % kWays;
    ++counters_.evictions;
  } else if (set.tags[way] == 0 || set.entries[way].epoch != epoch_) {
    ++counters_.entries;
  }
  set.tags[way] = tag_of(hash);
  set.entries[way] = {tuple, decision, epoch_, now_s};
}

void Memo::forget_all() noexcept {
  ++epoch_;
  counters_.entries = 0;
}

}  // namespace nfsteer
