#include "nfsteer/schedule.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace nfsteer;
using namespace std::chrono_literals;

namespace {

Time at(const std::string& text) {
  return parse_moment(text, Time{}).value();
}

Window window(const char* days, const char* from, const char* to) {
  return {parse_weekdays(days).value(), parse_time_of_day(from).value(),
          parse_time_of_day(to).value()};
}

Schedule make(const char* timezone, std::vector<Window> windows,
              const std::vector<const char*>& except = {}) {
  ScheduleConfig config{"hours", timezone, std::move(windows), {}};
  for (const char* date : except) config.except.push_back(parse_date(date).value());
  return Schedule(config);
}

std::string change_after(const Schedule& schedule, const char* time) {
  const Time change = schedule.next_change(at(time));
  return change == Time::max() ? "never" : to_utc_string(change);
}

// On at the first time, off at the second, and so on; nothing changes between.
void check_changes(const Schedule& schedule, const std::vector<const char*>& times) {
  bool is_active = true;
  for (std::size_t i = 0; i < times.size(); ++i, is_active = !is_active) {
    CAPTURE(times[i]);
    CHECK(schedule.is_active(at(times[i]) - 1ns) == !is_active);
    CHECK(schedule.is_active(at(times[i])) == is_active);
    if (i > 0) CHECK(change_after(schedule, times[i - 1]) == times[i]);
  }
}

}  // namespace

TEST_CASE("a window of working hours") {
  const Schedule office = make("Europe/Zurich", {window("mon-fri", "09:00", "17:00")});
  CHECK(office.name() == "hours");
  // A Thursday in winter, Friday, Monday.
  check_changes(office, {"2026-11-26T08:00:00Z", "2026-11-26T16:00:00Z", "2026-11-27T08:00:00Z",
                         "2026-11-27T16:00:00Z", "2026-11-30T08:00:00Z", "2026-11-30T16:00:00Z"});
  // In summer the same hours are others.
  check_changes(office, {"2026-07-02T07:00:00Z", "2026-07-02T15:00:00Z", "2026-07-03T07:00:00Z"});
  CHECK(office.next_change(at("2026-11-26T08:00:00Z") - 1ns) == at("2026-11-26T08:00:00Z"));
  CHECK(office.next_change(at("2026-11-26T08:00:00Z") + 1ns) == at("2026-11-26T16:00:00Z"));
}

TEST_CASE("windows over midnight, past Sunday, of whole days") {
  const struct {
    const char* what;
    const char* timezone;
    std::vector<Window> windows;
    std::vector<const char*> except;
    std::vector<const char*> changes;  // on, off, on ...
  } kCases[] = {
      {"a night belongs to the day on which it starts",
       "UTC",
       {window("fri", "22:00", "06:00")},
       {},
       {"2026-11-27T22:00:00Z", "2026-11-28T06:00:00Z", "2026-12-04T22:00:00Z"}},
      {"sat-mon",
       "UTC",
       {window("sat-mon", "10:00", "11:00")},
       {},
       {"2026-11-28T10:00:00Z", "2026-11-28T11:00:00Z", "2026-11-29T10:00:00Z",
        "2026-11-29T11:00:00Z", "2026-11-30T10:00:00Z", "2026-11-30T11:00:00Z",
        "2026-12-05T10:00:00Z"}},
      {"to 24:00, the weekend is one",
       "UTC",
       {window("sat-sun", "00:00", "24:00")},
       {},
       {"2026-11-28T00:00:00Z", "2026-11-30T00:00:00Z", "2026-12-05T00:00:00Z"}},
      {"from and to alike are a whole day",
       "UTC",
       {window("wed", "12:00", "12:00")},
       {},
       {"2026-11-25T12:00:00Z", "2026-11-26T12:00:00Z", "2026-12-02T12:00:00Z"}},
      {"Sunday's night goes on into Monday",
       "Asia/Kathmandu",  // UTC+5:45
       {window("sun", "23:00", "01:30")},
       {},
       {"2026-11-29T17:15:00Z", "2026-11-29T19:45:00Z", "2026-12-06T17:15:00Z"}},
      {"windows that overlap or touch are one",
       "UTC",
       {window("wed", "08:00", "10:00"), window("wed", "09:00", "09:30"),
        window("wed", "10:00", "12:00"), window("wed", "11:00", "13:00"),
        window("wed", "14:00", "15:00")},
       {},
       {"2026-11-25T08:00:00Z", "2026-11-25T13:00:00Z", "2026-11-25T14:00:00Z",
        "2026-11-25T15:00:00Z", "2026-12-02T08:00:00Z"}},
      {"nothing starts on an excepted day, what has started goes on",
       "UTC",
       {window("mon-sun", "22:00", "06:00")},
       {"2026-12-25", "2026-12-24"},
       {"2026-12-23T22:00:00Z", "2026-12-24T06:00:00Z", "2026-12-26T22:00:00Z",
        "2026-12-27T06:00:00Z"}},
      {"always, but for one day far away",
       "Europe/Zurich",
       {window("mon-sun", "00:00", "24:00")},
       {"2026-08-01", "2041-08-01"},
       {"2026-08-01T22:00:00Z", "2041-07-31T23:00:00Z", "2041-08-01T23:00:00Z"}},
      {"always, from noon to noon, but for one day",
       "UTC",
       {window("mon-sun", "12:00", "12:00")},
       {"2026-08-01", "2031-08-01"},
       {"2026-08-02T12:00:00Z", "2031-08-01T12:00:00Z", "2031-08-02T12:00:00Z"}},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.what);
    check_changes(make(row.timezone, row.windows, row.except), row.changes);
  }
}

TEST_CASE("when the clocks are changed") {
  const struct {
    const char* what;
    const char* timezone;
    Window window;
    std::vector<const char*> changes;  // on, off, on ...
  } kCases[] = {
      {"Zurich, spring: a start that is skipped is the first instant after",
       "Europe/Zurich",
       window("sun", "02:30", "04:00"),
       {"2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z", "2026-04-05T00:30:00Z"}},
      {"Zurich, spring: an end that is skipped",
       "Europe/Zurich",
       window("sun", "01:00", "02:30"),
       {"2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-04-04T23:00:00Z"}},
      {"Zurich, spring: a window that is skipped is not on",
       "Europe/Zurich",
       window("sun", "02:00", "03:00"),
       {"2026-03-22T01:00:00Z", "2026-03-22T02:00:00Z", "2026-04-05T00:00:00Z"}},
      {"Zurich, spring: an hour less",
       "Europe/Zurich",
       window("sat", "22:00", "06:00"),
       {"2026-03-28T21:00:00Z", "2026-03-29T04:00:00Z"}},
      {"Zurich, autumn: an hour more",
       "Europe/Zurich",
       window("sat", "22:00", "06:00"),
       {"2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z"}},
      {"Zurich, autumn: through both hours",
       "Europe/Zurich",
       window("sun", "02:00", "03:00"),
       {"2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z", "2026-11-01T01:00:00Z"}},
      {"Zurich, autumn: starts the first time, ends the second",
       "Europe/Zurich",
       window("sun", "02:15", "02:45"),
       {"2026-10-25T00:15:00Z", "2026-10-25T01:45:00Z"}},
      {"Zurich, autumn: ends before both",
       "Europe/Zurich",
       window("sun", "01:00", "02:00"),
       {"2026-10-24T23:00:00Z", "2026-10-25T00:00:00Z", "2026-11-01T00:00:00Z"}},
      {"Zurich, autumn: starts after both",
       "Europe/Zurich",
       window("sun", "03:00", "04:00"),
       {"2026-10-25T02:00:00Z", "2026-10-25T03:00:00Z"}},
      {"New York, spring",
       "America/New_York",
       window("sun", "02:30", "04:00"),
       {"2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z", "2026-03-15T06:30:00Z"}},
      {"New York, autumn",
       "America/New_York",
       window("sun", "01:30", "01:45"),
       {"2026-11-01T05:30:00Z", "2026-11-01T06:45:00Z", "2026-11-08T06:30:00Z"}},
      {"Lord Howe, spring: half an hour is skipped",  // 02:00 is 02:30, of UTC+11
       "Australia/Lord_Howe",
       window("sun", "02:15", "03:00"),
       {"2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z", "2026-10-10T15:15:00Z"}},
      {"Lord Howe, autumn: half an hour twice",  // 02:00 is 01:30, of UTC+10:30
       "Australia/Lord_Howe",
       window("sun", "01:30", "02:00"),
       {"2026-04-04T14:30:00Z", "2026-04-04T15:30:00Z", "2026-04-11T15:00:00Z"}},
      {"Cairo: midnight is skipped",
       "Africa/Cairo",
       window("thu", "23:00", "24:00"),
       {"2026-04-23T21:00:00Z", "2026-04-23T22:00:00Z", "2026-04-30T20:00:00Z"}},
      {"Havana: midnight is shown twice, Saturday ends at the first",
       "America/Havana",
       window("sat", "23:00", "24:00"),
       {"2026-11-01T03:00:00Z", "2026-11-01T04:00:00Z", "2026-11-08T04:00:00Z"}},
      {"Apia: the Friday that was not",
       "Pacific/Apia",
       window("mon-sun", "09:00", "10:00"),
       {"2011-12-29T19:00:00Z", "2011-12-29T20:00:00Z", "2011-12-30T19:00:00Z",
        "2011-12-30T20:00:00Z"}},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.what);
    check_changes(make(row.timezone, {row.window}), row.changes);
  }
}

TEST_CASE("never a change") {
  const Schedule never = make("UTC", {});
  const Schedule no_day = make("UTC", {{.days = 0}}, {"2030-01-01"});
  const Schedule always = make("Europe/Zurich", {window("mon-sun", "00:00", "24:00")});
  const Schedule always_in_parts = make(
      "Europe/Zurich", {window("mon-sun", "02:30", "16:00"), window("mon-sun", "15:00", "02:30")});
  const Schedule always_till_then =
      make("UTC", {window("mon-sun", "00:00", "24:00")}, {"2026-01-01", "9999-12-31"});
  for (const char* time :
       {"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2037-12-31T00:00:00Z"}) {
    CAPTURE(time);
    CHECK_FALSE(never.is_active(at(time)));
    CHECK(change_after(never, time) == "never");
    CHECK_FALSE(no_day.is_active(at(time)));
    CHECK(change_after(no_day, time) == "never");
    for (const Schedule* each : {&always, &always_in_parts, &always_till_then}) {
      CHECK(each->is_active(at(time)));
      CHECK(change_after(*each, time) == "never");
    }
  }
  CHECK(always.next_change(Time::max()) == Time::max());
  CHECK(always.next_change(Time::min()) == Time::max());
}

TEST_CASE("a year without a day that is not excepted") {
  ScheduleConfig config{"hours", "UTC", {window("mon-fri", "09:00", "17:00")}, {}};
  for (unsigned month = 1; month <= 12; ++month)
    for (unsigned day = 1; day <= 31; ++day)
      if (!(month == 12 && day > 29)) config.except.push_back({2026, month, std::min(day, 28u)});
  for (const char* rest : {"2026-01-29", "2026-01-30", "2026-03-30", "2026-03-31", "2026-04-29",
                           "2026-04-30", "2026-05-29", "2026-06-29", "2026-06-30", "2026-07-29",
                           "2026-07-30", "2026-07-31", "2026-08-31", "2026-09-29", "2026-09-30",
                           "2026-10-29", "2026-10-30", "2026-11-30", "2026-12-29", "2026-12-30"})
    config.except.push_back(parse_date(rest).value());
  check_changes(Schedule(config),
                {"2025-12-31T09:00:00Z", "2025-12-31T17:00:00Z", "2026-12-31T09:00:00Z",
                 "2026-12-31T17:00:00Z", "2027-01-01T09:00:00Z"});
}

TEST_CASE("a moved schedule is the same") {
  Schedule first = make("UTC", {window("mon-sun", "09:00", "17:00")});
  Schedule second = make("UTC", {});
  second = std::move(first);
  const Schedule third(std::move(second));
  CHECK(third.is_active(at("2026-11-26T10:00:00Z")));
}
