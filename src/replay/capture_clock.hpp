// The clock of a capture. Its time stamps may go back (packets of several queues
// mingled, a clock that was set) or be far off (a damaged record); the time that
// flows live by never goes back, and a single stamp never moves it far.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "nfsteer/schedule.hpp"

namespace nfsteer {

class CaptureClock {
 public:
  // A packet was captured at `stamp`. Where that is
  //  - up to kDisorder before the latest, the time stands still;
  //  - longer before, the clock was set: the time stands still, and goes on from there;
  //  - more than kLeap away, it is believed once the next stamp is as near to it.
  void advance(Time stamp) noexcept;

  // Since the first packet; never goes back, and stands still at kElapsedMax.
  std::chrono::nanoseconds elapsed() const noexcept { return elapsed_; }
  // What the clock shows; goes back where it was set.
  Time wall() const noexcept { return wall_; }
  // How often a stamp was before the one before it.
  std::uint64_t backward() const noexcept { return backward_; }

  static constexpr std::chrono::seconds kDisorder{1};
  static constexpr std::chrono::hours kLeap{24};
  // Stamps are of 136 years at most: one more of those is no overflow yet.
  static constexpr std::chrono::nanoseconds kElapsedMax = std::chrono::hours(24 * 365 * 100);

 private:
  bool is_believed(Time stamp) noexcept;

  bool is_started_ = false;
  Time wall_, last_;
  std::optional<Time> doubted_;
  std::chrono::nanoseconds elapsed_{0};
  std::uint64_t backward_ = 0;
};

}  // namespace nfsteer
