#include <algorithm>

#include "nfsteer/failover.hpp"

namespace nfsteer {

void Ejection::begin(Instant now) noexcept {
  if (times_ > 0 && now - until_ >= kEjectionMost) times_ = 0;
  ++times_;
  const auto steps = std::min<std::uint32_t>(times_, kEjectionMost / kEjectionStep);
  begun_ = now;
  until_ = now + steps * kEjectionStep;
}

void Ejection::end(Instant now) noexcept {
  until_ = std::min(until_, now);
}

std::uint32_t patience(const FailoverConfig& config) noexcept {
  switch (config.failover) {
    case Failover::Immediate:
      return 1;
    case Failover::Delayed:
      return config.failures;
    case Failover::None:
    case Failover::Probe:
      break;
  }
  return 0;
}

}  // namespace nfsteer
