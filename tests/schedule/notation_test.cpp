#include <doctest/doctest.h>

#include <optional>
#include <string>

#include "nfsteer/schedule.hpp"

using namespace nfsteer;
using namespace std::chrono_literals;

namespace {

bool says(const std::string& message, const char* part) {
  return message.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("weekdays: accepted and refused") {
  static constexpr struct {
    const char* text;
    int want;  // -1: refused
  } kCases[] = {
      {"mon", 0x01},     {"sun", 0x40},       {"mon-fri", 0x1f}, {"sat-sun", 0x60},
      {"mon-sun", 0x7f}, {"sat-mon", 0x61},  // past Sunday
      {"fri-fri", 0x10}, {"tue-mon", 0x7f},   {"", -1},          {"-", -1},
      {"mon-", -1},      {"-fri", -1},        {"Mon", -1},       {"monday", -1},
      {"mon - fri", -1}, {"mon-fri-sun", -1}, {"1", -1},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.text);
    const auto days = parse_weekdays(row.text);
    CHECK((days ? int{*days} : -1) == row.want);
    if (!days) CHECK(says(days.error().message, "mon, tue, wed, thu, fri, sat, sun"));
  }
}

TEST_CASE("times of day: accepted and refused") {
  static constexpr struct {
    const char* text;
    int want;  // minutes; -1: refused
  } kCases[] = {
      {"00:00", 0},     {"09:05", 545}, {"23:59", 1439}, {"24:00", 1440},
      {"24:01", -1},    {"25:00", -1},  {"12:60", -1},   {"9:00", -1},
      {"09:00:00", -1}, {"0900", -1},   {"", -1},        {"09:0", -1},
      {"09-00", -1},    {"+9:00", -1},  {" 9:00", -1},   {"09:0x", -1},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.text);
    const auto time = parse_time_of_day(row.text);
    CHECK((time ? time->count() : -1) == row.want);
    if (!time) CHECK(says(time.error().message, "00:00 to 24:00"));
  }
}

TEST_CASE("dates: accepted and refused") {
  static constexpr struct {
    const char* text;
    std::optional<Date> want;
    const char* error = "";
  } kCases[] = {
      {"2026-12-25", Date{2026, 12, 25}},
      {"2028-02-29", Date{2028, 2, 29}},
      {"2000-02-29", Date{2000, 2, 29}},
      {"2026-02-29", std::nullopt, "no calendar has the day 2026-02-29"},
      {"2100-02-29", std::nullopt, "no calendar"},
      {"2026-13-01", std::nullopt, "no calendar"},
      {"2026-00-10", std::nullopt, "no calendar"},
      {"2026-04-31", std::nullopt, "no calendar"},
      {"2026-4-30", std::nullopt, "not a date"},
      {"26-04-30", std::nullopt, "not a date"},
      {"2026/04/30", std::nullopt, "not a date"},
      {"0x26-04-30", std::nullopt, "not a date"},
      {"2026-0x-30", std::nullopt, "not a date"},
      {"", std::nullopt, "not a date"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.text);
    const auto date = parse_date(row.text);
    REQUIRE(date.has_value() == row.want.has_value());
    if (date) CHECK((*date == *row.want));
    if (!date) CHECK(says(date.error().message, row.error));
  }
}

TEST_CASE("time zones: accepted and refused") {
  static constexpr struct {
    const char* name;
    const char* error;  // a part of it; nullptr: accepted
  } kCases[] = {
      {"Europe/Zurich", nullptr},
      {"UTC", nullptr},
      {"Asia/Kathmandu", nullptr},
      {"America/Argentina/Buenos_Aires", nullptr},
      {"Europe/Zürich", "did you mean `Europe/Zurich`?"},
      {"Europe/Zurch", "did you mean `Europe/Zurich`?"},
      {"europe/zurich", "did you mean `Europe/Zurich`?"},
      {"", "is not a time zone that tzdata knows"},
      {"CEST-somewhere-far", "is not a time zone that tzdata knows"},
      {"Europe", "is not a time zone"},
      {"../../../etc/passwd", "is not a time zone that tzdata knows"},
      {"zone.tab", "is not a time zone that tzdata knows"},
      {"Europe/\x01", "\\x01"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.name);
    const auto checked = check_timezone(row.name);
    CHECK(checked.has_value() == (row.error == nullptr));
    if (!checked && row.error)
      CHECK_MESSAGE(says(checked.error().message, row.error), checked.error().message);
  }
}

TEST_CASE("moments: accepted and refused") {
  // A Wednesday; 12:00 in Zurich, 21:00 in Tokyo.
  const Time now = *parse_moment("2026-11-25T11:00:00Z", Time{});
  static constexpr struct {
    const char* text;
    const char* want;  // nullptr: refused
    const char* error = "";
  } kCases[] = {
      {"2026-11-27T22:10:00Z", "2026-11-27T22:10:00Z"},
      {"2026-11-27T22:10Z", "2026-11-27T22:10:00Z"},
      {"2026-11-27 22:10:59Z", "2026-11-27T22:10:59Z"},
      {"1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z"},
      {"2026-11-27 23:10 Europe/Zurich", "2026-11-27T22:10:00Z"},
      {"2026-11-27T23:10 Europe/Zurich", "2026-11-27T22:10:00Z"},
      {"23:10 Europe/Zurich", "2026-11-25T22:10:00Z"},
      {"01:00 Europe/Zurich", "2026-11-25T00:00:00Z"},  // today, though it has been
      {"01:00:30 Asia/Tokyo", "2026-11-24T16:00:30Z"},  // today as it is there
      {"wed 01:00 UTC", "2026-11-25T01:00:00Z"},        // today
      {"thu 01:00 UTC", "2026-11-26T01:00:00Z"},
      {"fri 23:10 Europe/Zurich", "2026-11-27T22:10:00Z"},
      {"tue 23:10 UTC", "2026-12-01T23:10:00Z"},
      {"  fri   23:10  UTC ", "2026-11-27T23:10:00Z"},
      {"fri 23:10Z", "2026-11-27T23:10:00Z"},
      {"2026-03-29 02:30 Europe/Zurich", "2026-03-29T01:00:00Z"},  // skipped
      {"2026-10-25 02:30 Europe/Zurich", "2026-10-25T00:30:00Z"},  // shown twice
      {"2026-10-25 03:00 Europe/Zurich", "2026-10-25T02:00:00Z"},
      {"2011-12-30 12:00 Pacific/Apia", "2011-12-30T10:00:00Z"},  // a day that was not
      {"", nullptr, "not a moment"},
      {"now", nullptr, "not a moment"},
      {"fri", nullptr, "not a moment"},
      {"2026-11-27", nullptr, "not a moment"},
      {"24:00 UTC", nullptr, "not a moment"},
      {"23:60 UTC", nullptr, "not a moment"},
      {"23:59:60 UTC", nullptr, "not a moment"},
      {"23:59-59 UTC", nullptr, "not a moment"},
      {"23:10 UTC fri", nullptr, "not a moment"},
      {"23:10 23:10 UTC", nullptr, "not a moment"},
      {"fri 23:10 Europe/Zurch", nullptr, "did you mean `Europe/Zurich`?"},
      {"2026-02-30 10:00 UTC", nullptr, "no calendar"},
      {"friday 10:00 UTC", nullptr, "`friday` is not"},
      {"1677-09-21T00:12:44Z", "1677-09-21T00:12:44Z"},  // the first, and the last
      {"2262-04-11T23:47:16Z", "2262-04-11T23:47:16Z"},
      {"1677-09-21T00:12:43Z", nullptr, "too far away"},
      {"2262-04-11T23:47:17Z", nullptr, "too far away"},
      {"9999-01-01 00:00 UTC", nullptr, "too far away"},
      {"0001-01-01 00:00 UTC", nullptr, "too far away"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.text);
    const auto moment = parse_moment(row.text, now);
    REQUIRE_MESSAGE(moment.has_value() == (row.want != nullptr),
                    (moment ? "accepted" : moment.error().message));
    if (moment) CHECK(to_utc_string(*moment) == row.want);
    if (!moment) CHECK_MESSAGE(says(moment.error().message, row.error), moment.error().message);
  }
}

TEST_CASE("moments: in the machine's time zone where none is named") {
  const Time now = *parse_moment("2026-11-25T11:00:00Z", Time{});
  const auto moment = parse_moment("2026-11-27 22:10", now);
  if (!moment) {
    CHECK(says(moment.error().message, "the time zone of this machine is not known"));
    return;
  }
  const std::time_t seconds = std::chrono::system_clock::to_time_t(*moment);
  std::tm shown{};
  REQUIRE(localtime_r(&seconds, &shown));
  CHECK(shown.tm_mday == 27);
  CHECK(shown.tm_hour == 22);
  CHECK(shown.tm_min == 10);
}

TEST_CASE("to_utc_string: whole seconds") {
  CHECK(to_utc_string(Time{}) == "1970-01-01T00:00:00Z");
  CHECK(to_utc_string(Time{} + 1999ms) == "1970-01-01T00:00:01Z");
  CHECK(to_utc_string(Time{} - 1ms) == "1969-12-31T23:59:59Z");
  CHECK(to_utc_string(Time::max()) == "2262-04-11T23:47:16Z");
  CHECK(to_utc_string(Time::min()) == "1677-09-21T00:12:43Z");
}
