// What latencies tell: how slow a server is now, and what the fastest is.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>

#include "candidates.hpp"

namespace nfsteer {

// What a latency is worth without a new one halves in this time: a slow one counts for
// half, so that a server which was slow, or failed, is tried again; and the fastest
// counts for twice as much, so that one of which nothing is heard any more does not
// stay the measure of the others. Short against how long people wait for that, long
// against the time that a slow server's hundredth of the flows takes to give a new one.
inline constexpr std::uint32_t kLatencyHalf_s = 30;

// 0 where the clock of the thread that sampled is ahead.
inline std::uint32_t latency_age_s(const Gauge& gauge, std::uint32_t now_s) noexcept {
  const std::uint32_t age_s = now_s - gauge.sampled_s.load(std::memory_order_relaxed);
  return static_cast<std::int32_t>(age_s) < 0 ? 0 : age_s;
}

// In microseconds, not 0; a straight line between halves, down to that of the fastest.
// A server of which none is known has that of the fastest.
inline std::uint32_t latency_now(const Gauge& gauge, std::uint32_t now_s,
                                 std::uint32_t fastest_us) noexcept {
  const std::uint32_t latency_us = gauge.latency_us.load(std::memory_order_relaxed);
  if (latency_us == 0) return fastest_us;
  const std::uint32_t age_s = latency_age_s(gauge, now_s);
  const std::uint64_t parts = 2 * kLatencyHalf_s - age_s % kLatencyHalf_s;
  const std::uint32_t halvings = std::min(age_s / kLatencyHalf_s, 31u);
  const std::uint64_t now_us = (latency_us * parts / (2 * kLatencyHalf_s)) >> halvings;
  return std::max(static_cast<std::uint32_t>(now_us), fastest_us);
}

// The latency of the fastest candidate, looked for once a second. Any thread.
class Fastest {
 public:
  // In microseconds; the most there is if none is known, or none for long.
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
    constexpr std::uint64_t kMost = 0xffff'ffff;
    std::uint64_t fastest_us = kMost;
    for (const Candidate& candidate : candidates) {
      const Gauge& gauge = *candidate.gauge;
      const std::uint64_t latency_us = gauge.latency_us.load(std::memory_order_relaxed);
      if (latency_us == 0) continue;
      const std::uint32_t doublings = latency_age_s(gauge, now_s) / kLatencyHalf_s;
      fastest_us = std::min(fastest_us, latency_us << std::min(doublings, 31u));
    }
    return static_cast<std::uint32_t>(fastest_us);
  }

  mutable std::atomic<std::uint64_t> found_{0};  // second << 32 | microseconds; 0: not yet
};

}  // namespace nfsteer
