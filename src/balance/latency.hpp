// What latencies tell: how slow a server is now, and what the fastest is.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>

#include "candidates.hpp"

namespace nfsteer {

// A latency counts for half after so long without a new one, so that a server which
// was slow is tried again. Short against how long people wait for that, long against
// the time that a slow server's hundredth of the flows takes to give it a new one.
inline constexpr std::uint32_t kLatencyHalf_s = 30;

// In microseconds, not 0; a straight line between halves. A server of which none is
// known has that of the fastest.
inline std::uint32_t latency_now(const Gauge& gauge, std::uint32_t now_s,
                                 std::uint32_t fastest_us) noexcept {
  const std::uint32_t latency_us = gauge.latency_us.load(std::memory_order_relaxed);
  if (latency_us == 0) return fastest_us;
  const std::uint32_t age_s = now_s - gauge.sampled_s.load(std::memory_order_relaxed);
  if (static_cast<std::int32_t>(age_s) <= 0) return latency_us;
  const std::uint64_t parts = 2 * kLatencyHalf_s - age_s % kLatencyHalf_s;
  const std::uint32_t halvings = std::min(age_s / kLatencyHalf_s, 31u);
  const std::uint64_t now_us = (latency_us * parts / (2 * kLatencyHalf_s)) >> halvings;
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(now_us, 1));
}

// The latency of the fastest candidate, looked for once a second. Any thread.
class Fastest {
 public:
  // In microseconds; 1 if none is known.
  std::uint32_t latency_us(std::span<const Candidate> candidates, const Pick& pick) const noexcept {
    const std::uint64_t found = found_.load(std::memory_order_relaxed);
    if (found != 0 && found >> 32 == pick.now_s) return static_cast<std::uint32_t>(found);
    const std::uint32_t fastest_us = find(candidates, pick.now_s);
    if (pick.turn == Turn::Take)
      found_.store(std::uint64_t{pick.now_s} << 32 | fastest_us, std::memory_order_relaxed);
    return fastest_us;
  }

 private:
  static std::uint32_t find(std::span<const Candidate> candidates, std::uint32_t now_s) noexcept {
    constexpr std::uint32_t kNone = 0xffff'ffff;
    std::uint32_t fastest_us = kNone;
    for (const Candidate& candidate : candidates)
      fastest_us = std::min(fastest_us, latency_now(*candidate.gauge, now_s, kNone));
    return fastest_us == kNone ? 1 : fastest_us;
  }

  mutable std::atomic<std::uint64_t> found_{0};  // second << 32 | microseconds; 0: not yet
};

}  // namespace nfsteer
