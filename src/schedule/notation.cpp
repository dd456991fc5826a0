#include "notation.hpp"

#include <algorithm>
#include <array>

#include "nfsteer/base/text.hpp"
#include "zone.hpp"

namespace nfsteer {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

std::optional<unsigned> find_day(std::string_view name) noexcept {
  const auto found = std::find(kDays.begin(), kDays.end(), name);
  if (found == kDays.end()) return std::nullopt;
  return static_cast<unsigned>(found - kDays.begin());
}

bool are_digits(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::optional<std::chrono::weekday> find_weekday(std::string_view name) noexcept {
  const auto day = find_day(name);
  if (!day) return std::nullopt;
  return std::chrono::weekday(*day + 1);
}

std::optional<int> two_digits(std::string_view text, int max) noexcept {
  if (text.size() != 2 || !are_digits(text)) return std::nullopt;
  const int number = (text[0] - '0') * 10 + (text[1] - '0');
  return number <= max ? std::optional(number) : std::nullopt;
}

Result<Weekdays> parse_weekdays(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = find_day(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : find_day(text.substr(dash + 1));
  if (!first || !last)
    return fail(format("`{}` is not a day of the week ({}) or a range such as mon-fri",
                       printable(text), join(kDays, ", ")));
  unsigned days = 1u << *first;
  for (unsigned day = *first; day != *last;) {
    day = (day + 1) % kDays.size();
    days |= 1u << day;
  }
  return static_cast<Weekdays>(days);
}

Result<std::chrono::minutes> parse_time_of_day(std::string_view text) {
  if (text == "24:00") return std::chrono::hours(24);
  const auto hour = two_digits(text.substr(0, 2), 23);
  const auto minute = text.size() == 5 ? two_digits(text.substr(3), 59) : std::nullopt;
  if (!hour || !minute || text[2] != ':')
    return fail(format("`{}` is not a time of day from 00:00 to 24:00", printable(text)));
  return std::chrono::hours(*hour) + std::chrono::minutes(*minute);
}

Result<Date> parse_date(std::string_view text) {
  const bool is_formed = text.size() == 10 && text[4] == '-' && text[7] == '-' &&
                         are_digits(text.substr(0, 4)) && are_digits(text.substr(5, 2)) &&
                         are_digits(text.substr(8));
  if (!is_formed) return fail(format("`{}` is not a date such as 2026-12-25", printable(text)));
  const auto number = [text](std::size_t at, std::size_t count) {
    return static_cast<unsigned>(*parse_number(text.substr(at, count)));
  };
  const Date date{static_cast<int>(number(0, 4)), number(5, 2), number(8, 2)};
  const std::chrono::year_month_day day{std::chrono::year(date.year),
                                        std::chrono::month(date.month), std::chrono::day(date.day)};
  if (!day.ok()) return fail(format("no calendar has the day {}", text));
  return date;
}

Result<void> check_timezone(const std::string& name) {
  if (const auto zone = Zone::find(name); !zone) return tl::unexpected(zone.error());
  return {};
}

}  // namespace nfsteer
