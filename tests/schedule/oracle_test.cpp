// Schedules of random windows around changes of the clocks, against a scan of
// every minute with the clocks of the C library.
#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "nfsteer/schedule.hpp"

using namespace nfsteer;
using std::chrono::days;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

// The C library's time zone, until the end of the scope.
class InTimezone {
 public:
  explicit InTimezone(const char* name) {
    if (const char* before = std::getenv("TZ")) before_ = before;
    ::setenv("TZ", name, 1);
    ::tzset();
  }
  InTimezone(const InTimezone&) = delete;
  InTimezone& operator=(const InTimezone&) = delete;
  ~InTimezone() {
    if (before_.empty())
      ::unsetenv("TZ");
    else
      ::setenv("TZ", before_.c_str(), 1);
    ::tzset();
  }

 private:
  std::string before_;
};

constexpr int kDay = 24 * 60;
constexpr int kRange = 28 * kDay;  // of minutes that are scanned
constexpr int kMargin = 6 * kDay;  // of windows that are not seen whole

// What the clocks show at each minute of the range, as minutes since 1970.
std::vector<int> shown_minutes(const char* timezone, Time begin) {
  const InTimezone in(timezone);
  std::vector<int> shown;
  for (int i = 0; i < kRange; ++i) {
    const std::time_t time = std::chrono::system_clock::to_time_t(begin + minutes(i));
    std::tm clock{};
    localtime_r(&time, &clock);
    shown.push_back(static_cast<int>((time + clock.tm_gmtoff) / 60));
  }
  return shown;
}

// Whether the schedule is on, for each minute of the range.
std::vector<bool> scan(const ScheduleConfig& config, const std::vector<int>& shown) {
  std::vector<bool> on(shown.size());
  for (int day = shown.front() / kDay + 1; day <= shown.back() / kDay - 2; ++day) {
    const std::chrono::sys_days date{days(day)};
    const std::chrono::year_month_day calendar(date);
    const Date excepted{static_cast<int>(calendar.year()), static_cast<unsigned>(calendar.month()),
                        static_cast<unsigned>(calendar.day())};
    if (std::find(config.except.begin(), config.except.end(), excepted) != config.except.end())
      continue;
    for (const Window& window : config.windows) {
      if (!(window.days >> (std::chrono::weekday(date).iso_encoding() - 1) & 1)) continue;
      const int from = day * kDay + static_cast<int>(window.from.count());
      const int to =
          day * kDay + static_cast<int>(window.to.count()) + (window.to <= window.from ? kDay : 0);
      const auto is_before = [&](int limit) {
        return [limit](int clock) { return clock < limit; };
      };
      const auto start = std::find_if_not(shown.begin(), shown.end(), is_before(from));
      const auto end = std::find_if(shown.rbegin(), shown.rend(), is_before(to)).base();
      for (auto i = start; i < end; ++i) on[static_cast<std::size_t>(i - shown.begin())] = true;
    }
  }
  return on;
}

ScheduleConfig random_config(std::mt19937& random, const char* timezone, Time middle) {
  // Around the hours in which clocks are changed more often than elsewhere.
  const auto time_of_day = [&] {
    return minutes(random() % 2 ? random() % kDay : random() % 16 * 15);
  };
  ScheduleConfig config{"random", timezone, {}, {}};
  for (std::size_t i = random() % 4; i < 4; ++i) {
    Window window{static_cast<Weekdays>(random() % 128), time_of_day(), time_of_day()};
    if (random() % 4 == 0) window.days = kEveryDay;
    if (window.to.count() == 0) window.to = minutes(kDay);
    config.windows.push_back(window);
  }
  for (std::size_t i = random() % 6; i > 0; --i) {
    const auto day = std::chrono::floor<days>(middle) + days(static_cast<int>(random() % 16) - 8);
    const std::chrono::year_month_day calendar(day);
    config.except.push_back({static_cast<int>(calendar.year()),
                             static_cast<unsigned>(calendar.month()),
                             static_cast<unsigned>(calendar.day())});
  }
  return config;
}

}  // namespace

TEST_CASE("schedules agree with a scan of every minute") {
  static constexpr struct {
    const char* timezone;
    const char* change;  // of the clocks
  } kCases[] = {
      {"UTC", "2026-03-29T01:00:00Z"},
      {"Europe/Zurich", "2026-03-29T01:00:00Z"},
      {"Europe/Zurich", "2026-10-25T01:00:00Z"},
      {"America/New_York", "2026-03-08T07:00:00Z"},
      {"America/New_York", "2026-11-01T06:00:00Z"},
      {"Australia/Lord_Howe", "2026-04-04T15:00:00Z"},
      {"Australia/Lord_Howe", "2026-10-03T15:30:00Z"},
      {"Asia/Kathmandu", "2026-10-03T15:30:00Z"},
      {"Africa/Cairo", "2026-04-23T22:00:00Z"},       // midnight is skipped
      {"Africa/Cairo", "2026-10-29T21:00:00Z"},       // to the day before
      {"America/Havana", "2026-11-01T05:00:00Z"},     // midnight is shown twice
      {"America/St_Johns", "2010-11-07T02:31:00Z"},   // at one past midnight
      {"Africa/Casablanca", "2026-02-15T02:00:00Z"},  // there and back in five weeks
      {"Antarctica/Troll", "2026-03-29T01:00:00Z"},   // two hours
      {"Asia/Pyongyang", "2018-05-04T15:00:00Z"},     // 23:30 is 00:00
      {"Pacific/Apia", "2011-12-30T10:00:00Z"},       // a day is skipped
      {"Pacific/Kwajalein", "1993-08-21T12:00:00Z"},  // likewise
      {"Asia/Ho_Chi_Minh", "1975-06-12T16:00:00Z"},
  };
  std::mt19937 random(20);
  for (const auto& row : kCases) {
    CAPTURE(row.timezone);
    CAPTURE(row.change);
    const Time middle = parse_moment(row.change, Time{}).value();
    const Time begin = middle - minutes(kRange / 2);
    const auto shown = shown_minutes(row.timezone, begin);
    for (int round = 0; round < 20; ++round) {
      CAPTURE(round);
      const ScheduleConfig config = random_config(random, row.timezone, middle);
      const Schedule schedule(config);
      const auto on = scan(config, shown);
      // All changes, one after the other.
      Time next = schedule.next_change(begin + minutes(kMargin));
      for (int i = kMargin + 1; i < kRange - kMargin; ++i) {
        const Time time = begin + minutes(i);
        const auto index = static_cast<std::size_t>(i);
        const bool changes = on[index] != on[index - 1];
        if (changes != (next == time))
          FAIL(to_utc_string(time), changes ? ": no change" : ": a change");
        if (!changes) continue;
        CHECK(schedule.is_active(time) == on[index]);
        CHECK(schedule.is_active(time - seconds(1)) == on[index - 1]);
        next = schedule.next_change(time);
      }
      for (int i = 0; i < 100; ++i) {
        const auto index = kMargin + random() % (kRange - 2 * kMargin);
        CHECK(schedule.is_active(begin + minutes(index)) == on[index]);
      }
    }
  }
}
