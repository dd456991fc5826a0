#include "capture_clock.hpp"

#include <algorithm>
#include <utility>

namespace nfsteer {

void CaptureClock::advance(Time stamp) noexcept {
  if (!std::exchange(is_started_, true)) wall_ = last_ = stamp;
  if (stamp < std::exchange(last_, stamp)) ++backward_;
  if (!is_believed(stamp)) return;
  if (stamp > wall_) elapsed_ = std::min(elapsed_ + (stamp - wall_), kElapsedMax);
  if (stamp > wall_ || wall_ - stamp > kDisorder) wall_ = stamp;
}

bool CaptureClock::is_believed(Time stamp) noexcept {
  const auto is_near = [stamp](Time other) {
    return stamp - other <= kLeap && other - stamp <= kLeap;
  };
  const auto before = std::exchange(doubted_, std::nullopt);
  if (is_near(wall_) || (before && is_near(*before))) return true;
  doubted_ = stamp;
  return false;
}

}  // namespace nfsteer
