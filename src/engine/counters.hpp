// What a worker counts, and how others read it while it counts.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "nfsteer/flow.hpp"
#include "nfsteer/netlink.hpp"

namespace nfsteer {

// A value of several words with one writer, which readers always see whole: a
// sequence lock (Boehm, "Can seqlocks get along with programming language
// memory models?", 2012). The writer never waits.
template <typename T>
class Published {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(std::uint64_t) == 0);

 public:
  void publish(const T& value) noexcept {
    const auto words = std::bit_cast<Words>(value);
    const auto sequence = sequence_.load(std::memory_order_relaxed);
    sequence_.store(sequence + 1, std::memory_order_relaxed);
    for (std::size_t i = 0; i < words.size(); ++i)
      words_[i].store(words[i], std::memory_order_release);
    sequence_.store(sequence + 2, std::memory_order_release);
  }

  T read() const noexcept {
    Words words;
    for (;;) {
      const auto before = sequence_.load(std::memory_order_acquire);
      for (std::size_t i = 0; i < words.size(); ++i)
        words[i] = words_[i].load(std::memory_order_acquire);
      if (before % 2 == 0 && sequence_.load(std::memory_order_relaxed) == before) break;
    }
    return std::bit_cast<T>(words);
  }

 private:
  using Words = std::array<std::uint64_t, sizeof(T) / sizeof(std::uint64_t)>;
  std::atomic<std::uint64_t> sequence_{0};
  std::array<std::atomic<std::uint64_t>, std::tuple_size_v<Words>> words_{};
};

// What became of a packet. Every packet has exactly one outcome.
enum class Outcome : std::uint8_t { Accepted, Dropped, Rejected, Passed };
inline constexpr std::size_t kOutcomes = 4;

// A worker's account of its queue.
struct QueueAccount {
  std::uint64_t received = 0;
  std::array<std::uint64_t, kOutcomes> outcomes{};
  std::array<std::uint64_t, kParseErrors> parse_errors{};
  netlink::Queue::Errors queue_errors{};
};

}  // namespace nfsteer
