#include "nfsteer/schedule.hpp"

#include <algorithm>
#include <cassert>
#include <optional>
#include <utility>

#include "notation.hpp"
#include "zone.hpp"

namespace nfsteer {
namespace {

using namespace std::chrono;

// From `start` up to `end`.
struct Interval {
  sys_seconds start, end;

  friend auto operator<=>(const Interval&, const Interval&) = default;
};

// A window starts at most two days before it ends, and clocks may be set back by
// a day and leave one out: windows that start on days further from a day than
// this are not on, nor do they end or start, on that day.
constexpr days kReach{4};

bool has_day(Weekdays days_of_week, local_days day) noexcept {
  return (days_of_week >> (weekday(day).iso_encoding() - 1) & 1) != 0;
}

// Those that overlap or touch are one.
std::vector<Interval> merged(std::vector<Interval> intervals) {
  std::sort(intervals.begin(), intervals.end());
  std::vector<Interval> result;
  for (const Interval& each : intervals) {
    if (result.empty() || each.start > result.back().end)
      result.push_back(each);
    else
      result.back().end = std::max(result.back().end, each.end);
  }
  return result;
}

}  // namespace

struct Schedule::Compiled {
  std::string name;
  Zone zone;
  std::vector<Window> windows;
  std::vector<local_days> except;  // ascending

  // When windows are on that start on the days from `first` to `last`, both
  // included; ascending, apart from each other.
  std::vector<Interval> intervals(local_days first, local_days last) const {
    std::vector<Interval> found;
    for (local_days day = first; day <= last; day += days(1)) {
      if (std::binary_search(except.begin(), except.end(), day)) continue;
      for (const Window& window : windows) {
        if (!has_day(window.days, day)) continue;
        const days over_midnight(window.to <= window.from ? 1 : 0);
        const Interval interval{zone.first_from(day + window.from),
                                zone.last_before(day + over_midnight + window.to)};
        if (interval.start < interval.end) found.push_back(interval);
      }
    }
    return merged(std::move(found));
  }

  // The first change after `after` in the seven days from `first` on.
  std::optional<sys_seconds> change_in_week(local_days first, sys_seconds after) const {
    const sys_seconds begin = zone.first_from(first);
    const sys_seconds end = zone.first_from(first + weeks(1));
    for (const Interval& interval : intervals(first - kReach, first + weeks(1) + kReach))
      for (const sys_seconds edge : {interval.start, interval.end})
        if (edge > after && edge >= begin && edge < end) return edge;
    return std::nullopt;
  }
};

Schedule::Schedule(const ScheduleConfig& config) {
  auto zone = Zone::find(config.timezone);
  assert(zone);
  std::vector<local_days> except;
  for (const Date& date : config.except) except.push_back(to_local_days(date));
  std::sort(except.begin(), except.end());
  compiled_ = std::make_unique<const Compiled>(
      Compiled{config.name, *zone, config.windows, std::move(except)});
}

Schedule::Schedule(Schedule&&) noexcept = default;
Schedule& Schedule::operator=(Schedule&&) noexcept = default;
Schedule::~Schedule() = default;

const std::string& Schedule::name() const noexcept {
  return compiled_->name;
}

bool Schedule::is_active(Time time) const {
  const auto now = floor<seconds>(time);
  const auto today = floor<days>(compiled_->zone.shown_at(now));
  const auto around = compiled_->intervals(today - kReach, today + kReach);
  return std::any_of(around.begin(), around.end(), [now](const Interval& interval) {
    return interval.start <= now && now < interval.end;
  });
}

Time Schedule::next_change(Time time) const {
  // Where windows leave a part of the week, or are in it at all, a few weeks show
  // it, also if the clocks skip it in one of them. After that only an excepted day
  // brings a change.
  constexpr int kQuietWeeks = 4;
  const auto after = floor<seconds>(time);
  const auto& except = compiled_->except;
  local_days first = floor<days>(compiled_->zone.shown_at(after));
  for (int quiet_weeks = 0; compiled_->zone.first_from(first) <= floor<seconds>(Time::max());) {
    if (const auto edge = compiled_->change_in_week(first, after))
      return *edge <= floor<seconds>(Time::max()) ? Time(*edge) : Time::max();
    const auto excepted = std::lower_bound(except.begin(), except.end(), first - kReach);
    const bool is_ordinary = excepted == except.end() || *excepted > first + weeks(1) + kReach;
    quiet_weeks = is_ordinary ? quiet_weeks + 1 : 0;
    first += weeks(1);
    if (quiet_weeks < kQuietWeeks) continue;
    if (excepted == except.end()) break;
    first = *excepted;
  }
  return Time::max();
}

}  // namespace nfsteer
