// A timer on the system's clock that also notices when somebody sets the clock.
#pragma once

#include "nfsteer/base/fd.hpp"
#include "nfsteer/schedule.hpp"

namespace nfsteer {

// One thread's own.
class WallClock {
 public:
  WallClock();

  // Becomes readable at `time`, when the clock is set, and after kLookAgain at the
  // latest. REQUIRES: called again each time that it became readable
  void set(Time time);

  int fd() const noexcept { return timer_.get(); }

  // However the kernel treats its timers over suspends and jumps, nobody has to
  // wait longer for a change that is due.
  static constexpr std::chrono::seconds kLookAgain{1};

 private:
  Fd timer_;
};

}  // namespace nfsteer
