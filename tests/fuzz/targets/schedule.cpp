// Schedules at any time there is: what is_active() says changes where next_change()
// says it does, and nowhere before.
#include <vector>

#include "../fuzz.hpp"
#include "nfsteer/schedule.hpp"

using namespace nfsteer;
using fuzz::Input;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

constexpr const char* kZones[] = {
    "UTC",          "Europe/Zurich",  "America/Havana",   "Africa/Cairo",    "Australia/Lord_Howe",
    "Pacific/Apia", "Asia/Kathmandu", "Antarctica/Troll", "America/St_Johns"};

minutes read_time_of_day(Input& in) {
  return minutes(in.flag() ? in.below(24 * 60) : in.below(96) * 15);
}

ScheduleConfig read_config(Input& in) {
  ScheduleConfig config{"s", in.one_of(kZones), {}, {}};
  for (std::uint32_t i = 0, windows = 1 + in.below(4); i < windows; ++i) {
    Window window{static_cast<Weekdays>(1 + in.below(kEveryDay)), read_time_of_day(in),
                  read_time_of_day(in)};
    if (window.to.count() == 0) window.to = minutes(24 * 60);
    config.windows.push_back(window);
  }
  for (std::uint32_t i = 0, days = in.below(4); i < days; ++i)
    config.except.push_back({static_cast<int>(in.flag() ? 2026 + in.below(2) : in.below(10'000)),
                             1 + in.below(12), 1 + in.below(28)});
  return config;
}

// Any time at all, one near the ends of time, or one of two years.
Time read_time(Input& in) {
  constexpr auto kFirst = std::chrono::ceil<seconds>(Time::min());
  constexpr auto kLast = std::chrono::floor<seconds>(Time::max());
  const std::uint64_t number = in.u64();
  switch (in.below(4)) {
    case 0:
      return kFirst + seconds(number % static_cast<std::uint64_t>((kLast - kFirst).count()));
    case 1:
      return kFirst + seconds(number % 10'000'000);
    case 2:
      return kLast - seconds(number % 10'000'000);
    default:
      return Time(seconds(1'767'225'600 + number % (2 * 366 * 86'400)));
  }
}

}  // namespace

FUZZ_TARGET(schedule) {
  constexpr int kChangesMax = 6, kBetween = 8;
  Input in(input);
  const Schedule schedule(read_config(in));
  Time time = read_time(in);
  for (int i = 0; i < kChangesMax; ++i) {
    const bool is_active = schedule.is_active(time);
    const Time next = schedule.next_change(time);
    FUZZ_CHECK(next > time);
    const Time end = std::min(next, Time::max() - std::chrono::hours(24 * 20));
    for (int k = 0; k < kBetween && time < end; ++k) {
      const auto first = std::chrono::floor<seconds>(time);
      const auto span =
          static_cast<std::uint64_t>((std::chrono::floor<seconds>(end) - first).count());
      const Time between = std::max(time, Time(first + seconds(in.u64() % (span + 1))));
      if (between < next) FUZZ_CHECK(schedule.is_active(between) == is_active);
    }
    FUZZ_CHECK(!to_utc_string(time).empty());
    if (next == Time::max()) return;
    FUZZ_CHECK(schedule.is_active(next) != is_active);
    time = next;
  }
}
