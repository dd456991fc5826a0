#include "wall_clock.hpp"

#include <sys/timerfd.h>

#include <algorithm>

#include "nfsteer/base/log.hpp"

namespace nfsteer {

WallClock::WallClock() : timer_(::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (!timer_) log::error("no timer: schedules stay as they are now");
}

void WallClock::set(Time time) {
  using namespace std::chrono;
  const Time now = system_clock::now();
  const auto due = std::clamp(time, now + milliseconds(1), now + kLookAgain).time_since_epoch();
  const auto whole = duration_cast<seconds>(due);
  itimerspec when{};
  when.it_value.tv_sec = whole.count();
  when.it_value.tv_nsec = duration_cast<nanoseconds>(due - whole).count();
  // Arming it anew takes back that it was readable.
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, nullptr);
}

}  // namespace nfsteer
