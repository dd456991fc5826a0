// Schedules: windows of local wall-clock time in a named time zone.
//
// A window is on each day that it names from `from` to `to`, by the clocks of
// the zone; where `to` is not after `from` it ends on the next day, and belongs
// to the day on which it starts. A start that the clocks skip (spring) is the
// first instant after the gap; a window over hours that the clocks show twice
// (autumn) lasts through both: it starts the first time and ends the second. No
// window starts on an excepted day.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nfsteer/base/result.hpp"

namespace nfsteer {

// An instant, of the system's clock.
using Time = std::chrono::system_clock::time_point;

// Days of the week, a bit each, Monday the lowest.
using Weekdays = std::uint8_t;
inline constexpr Weekdays kEveryDay = 0x7f;

struct Window {
  Weekdays days = kEveryDay;
  std::chrono::minutes from{0};      // since midnight, 00:00 to 23:59
  std::chrono::minutes to{24 * 60};  // 00:01 to 24:00, or not after `from`: the next day

  friend bool operator==(const Window&, const Window&) = default;
};

// A day of the calendar (proleptic Gregorian).
struct Date {
  int year = 1970;
  unsigned month = 1;  // 1 to 12
  unsigned day = 1;    // 1 to 31

  friend auto operator<=>(const Date&, const Date&) = default;
};

struct ScheduleConfig {
  std::string name;
  std::string timezone;  // an IANA name such as "Europe/Zurich"
  std::vector<Window> windows;
  std::vector<Date> except;  // no window starts on these days

  friend bool operator==(const ScheduleConfig&, const ScheduleConfig&) = default;
};

// ---- notation -----------------------------------------------------------------

// "mon", "mon-fri", "sat-mon"; the error names what is no day.
Result<Weekdays> parse_weekdays(std::string_view text);
// "09:00", "24:00".
Result<std::chrono::minutes> parse_time_of_day(std::string_view text);
// "2026-12-25"; refuses days that no calendar has.
Result<Date> parse_date(std::string_view text);
// A moment as a person names it, in the machine's time zone or in the IANA zone
// that follows: "23:10" (today), "fri 23:10" (today or the next such day),
// "2026-11-27 23:10", "2026-11-27T23:10:00Z", "fri 23:10 Europe/Zurich". `now` is
// what "today" is meant from. Seconds may be given. A local time that the clocks
// skip is the first instant after the gap; one that they show twice is the first.
Result<Time> parse_moment(std::string_view text, Time now);
// "2026-11-27T22:10:00Z".
std::string to_utc_string(Time time);
// What is wrong with the zone's name; with the nearest known one.
Result<void> check_timezone(const std::string& name);

// ---- the compiled form ----------------------------------------------------------

// Constant after construction; any thread.
class Schedule {
 public:
  // REQUIRES: check_timezone(config.timezone); windows within the limits above
  explicit Schedule(const ScheduleConfig& config);
  Schedule(Schedule&&) noexcept;
  Schedule& operator=(Schedule&&) noexcept;
  ~Schedule();

  const std::string& name() const noexcept;
  // Whether a window is on at that time.
  bool is_active(Time time) const;
  // The first time after `time` at which is_active() changes; Time::max() where it
  // never will again, as of a schedule that is always active.
  Time next_change(Time time) const;

 private:
  struct Compiled;
  std::unique_ptr<const Compiled> compiled_;
};

}  // namespace nfsteer
