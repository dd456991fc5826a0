#include <algorithm>
#include <cmath>
#include <numeric>

#include "nfsteer/feedback.hpp"

namespace nfsteer {
namespace {

// The middle of the bucket that has the sample of this rank, from 1.
std::uint64_t at_rank(const Latencies& latencies, std::uint64_t rank) noexcept {
  std::size_t bucket = 0;
  for (std::uint64_t seen = latencies.counts[0]; seen < rank; seen += latencies.counts[bucket])
    ++bucket;
  return (Latencies::first(bucket) + Latencies::first(bucket + 1) - 1) / 2;
}

}  // namespace

Latencies::Summary Latencies::summary() const noexcept {
  Summary summary;
  summary.samples = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  if (summary.samples == 0) return summary;
  const auto is_filled = [](std::uint64_t count) { return count != 0; };
  const auto lowest = std::find_if(counts.begin(), counts.end(), is_filled) - counts.begin();
  const auto highest = counts.rend() - std::find_if(counts.rbegin(), counts.rend(), is_filled);
  summary.avg_us = sum_us / summary.samples;
  summary.min_us = std::max(min_us, first(static_cast<std::size_t>(lowest)));
  const bool is_open_ended = highest == kBuckets;
  summary.max_us =
      is_open_ended ? max_us : std::min(max_us, first(static_cast<std::size_t>(highest)) - 1);
  const auto percentile = [&](double part) {
    const double rank = std::ceil(part * static_cast<double>(summary.samples));
    return std::clamp(at_rank(*this, static_cast<std::uint64_t>(rank)), summary.min_us,
                      std::max(summary.min_us, summary.max_us));
  };
  summary.p50_us = percentile(0.50);
  summary.p90_us = percentile(0.90);
  summary.p99_us = percentile(0.99);
  return summary;
}

Latencies& Latencies::operator+=(const Latencies& other) noexcept {
  // 0 is also "none".
  min_us = min_us == 0 || (other.min_us != 0 && other.min_us < min_us) ? other.min_us : min_us;
  max_us = std::max(max_us, other.max_us);
  sum_us += other.sum_us;
  for (std::size_t i = 0; i < kBuckets; ++i) counts[i] += other.counts[i];
  return *this;
}

Latencies& Latencies::operator-=(const Latencies& earlier) noexcept {
  sum_us -= earlier.sum_us;
  for (std::size_t i = 0; i < kBuckets; ++i) counts[i] -= earlier.counts[i];
  return *this;
}

}  // namespace nfsteer
