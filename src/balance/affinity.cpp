#include <algorithm>
#include <limits>
#include <utility>

#include "nfsteer/balance.hpp"
#include "nfsteer/base/mix.hpp"

namespace nfsteer {
namespace {

constexpr std::uint64_t kFree = 0;
constexpr std::uint64_t kBusy = std::numeric_limits<std::uint64_t>::max();

std::uint64_t word_of(ServerId server, std::uint32_t now_s) noexcept {
  return std::uint64_t{server} << 32 | (now_s + 1);
}
ServerId server_of(std::uint64_t word) noexcept {
  return static_cast<ServerId>(word >> 32);
}
// Of what a worker wrote whose clock is ahead: none.
std::uint32_t age_of(std::uint64_t word, std::uint32_t now_s) noexcept {
  const std::uint32_t age_s = now_s + 1 - static_cast<std::uint32_t>(word);
  return static_cast<std::int32_t>(age_s) < 0 ? 0 : age_s;
}

}  // namespace

Affinity::Affinity(const AffinityConfig& config)
    : config_(config),
      sets_(std::max<std::size_t>(1, config.max / kWays)),
      slots_(2 * sets_ * kWays) {}

Address Affinity::client_of(const Address& source) const noexcept {
  return masked(source, source.family == Family::V4 ? config_.v4_bits : config_.v6_bits);
}

const Affinity::Slot* Affinity::set_of(const Address& client) const noexcept {
  const std::size_t set = (mix(mix(client.high) + client.low) >> 32) * sets_ >> 32;
  return slots_.data() + (client.family == Family::V4 ? set : sets_ + set) * kWays;
}
Affinity::Slot* Affinity::set_of(const Address& client) noexcept {
  return const_cast<Slot*>(std::as_const(*this).set_of(client));
}

// The word before and after what it stands for: a sequence lock.
std::optional<Affinity::Read> Affinity::read(const Slot& slot) noexcept {
  Read read;
  read.word = slot.word.load(std::memory_order_acquire);
  if (read.word == kFree || read.word == kBusy) return std::nullopt;
  read.high = slot.high.load(std::memory_order_acquire);
  read.low = slot.low.load(std::memory_order_acquire);
  if (slot.word.load(std::memory_order_relaxed) != read.word) return std::nullopt;
  return read;
}

std::optional<ServerId> Affinity::find(const Address& source, std::uint32_t now_s) const noexcept {
  const Address client = client_of(source);
  const Slot* set = set_of(client);
  for (std::size_t way = 0; way < kWays; ++way) {
    const auto read = Affinity::read(set[way]);
    if (read && read->high == client.high && read->low == client.low &&
        age_of(read->word, now_s) < config_.timeout_s)
      return server_of(read->word);
  }
  return std::nullopt;
}

void Affinity::keep(const Address& source, ServerId server, std::uint32_t now_s) noexcept {
  const Address client = client_of(source);
  Slot* set = set_of(client);
  Slot* victim = nullptr;
  std::uint64_t victim_word = 0;
  std::uint32_t victim_age = 0;
  for (std::size_t way = 0; way < kWays; ++way) {
    Slot& slot = set[way];
    std::uint64_t word = slot.word.load(std::memory_order_relaxed);
    if (word == kBusy) continue;
    const auto read = Affinity::read(slot);
    if (read && read->high == client.high && read->low == client.low) {
      // Where another worker was quicker, its word is as good.
      slot.word.compare_exchange_strong(word, word_of(server, now_s), std::memory_order_release);
      return;
    }
    const std::uint32_t age =
        word == kFree ? std::numeric_limits<std::uint32_t>::max() : age_of(word, now_s);
    if (victim && age <= victim_age) continue;
    victim = &slot;
    victim_word = word;
    victim_age = age;
  }
  if (!victim || !victim->word.compare_exchange_strong(victim_word, kBusy)) return;
  if (victim_age < config_.timeout_s) evictions_.fetch_add(1, std::memory_order_relaxed);
  victim->high.store(client.high, std::memory_order_release);
  victim->low.store(client.low, std::memory_order_release);
  victim->word.store(word_of(server, now_s), std::memory_order_release);
}

// The clients of which something is within the prefix: that is, where it is longer
// than they are, the one that it is of.
Prefix Affinity::whole_clients(const Prefix& among) const noexcept {
  const auto bits = among.address.family == Family::V4 ? config_.v4_bits : config_.v6_bits;
  return {client_of(among.address), std::min(among.length, bits)};
}

std::vector<Affinity::Entry> Affinity::list(const Prefix& among, std::uint32_t now_s) const {
  std::vector<Entry> entries;
  const Prefix clients = whole_clients(among);
  const bool v4 = among.address.family == Family::V4;
  const auto bits = v4 ? config_.v4_bits : config_.v6_bits;
  for (std::size_t i = 0; i < sets_ * kWays; ++i) {
    const auto read = Affinity::read(slots_[v4 ? i : sets_ * kWays + i]);
    if (!read || age_of(read->word, now_s) >= config_.timeout_s) continue;
    const Address client{among.address.family, read->high, read->low};
    if (clients.contains(client))
      entries.push_back({{client, bits}, server_of(read->word), age_of(read->word, now_s)});
  }
  return entries;
}

std::size_t Affinity::clients(std::uint32_t now_s) const noexcept {
  std::size_t count = 0;
  for (const Slot& slot : slots_) {
    const std::uint64_t word = slot.word.load(std::memory_order_relaxed);
    count += word != kFree && word != kBusy && age_of(word, now_s) < config_.timeout_s;
  }
  return count;
}

std::size_t Affinity::forget(const Prefix& among) noexcept {
  std::size_t forgotten = 0;
  const Prefix clients = whole_clients(among);
  const bool v4 = among.address.family == Family::V4;
  for (std::size_t i = 0; i < sets_ * kWays; ++i) {
    Slot& slot = slots_[v4 ? i : sets_ * kWays + i];
    auto read = Affinity::read(slot);
    if (!read || !clients.contains({among.address.family, read->high, read->low})) continue;
    forgotten += slot.word.compare_exchange_strong(read->word, kFree);
  }
  return forgotten;
}

}  // namespace nfsteer
