// Single instants, as people and programs write them.
#include <string>
#include <vector>

#include "nfsteer/base/text.hpp"
#include "notation.hpp"
#include "zone.hpp"

namespace nfsteer {
namespace {

using namespace std::chrono;

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = text.find(' ');
    if (end != 0) words.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return words;
}

// "23:10" or "23:10:59".
std::optional<seconds> parse_clock(std::string_view text) {
  constexpr std::size_t kMinuteBytes = 5;
  const auto minute = parse_time_of_day(text.substr(0, kMinuteBytes));
  if (!minute || *minute == hours(24)) return std::nullopt;
  if (text.size() == kMinuteBytes) return *minute;
  if (text[kMinuteBytes] != ':') return std::nullopt;
  const auto second = two_digits(text.substr(kMinuteBytes + 1), 59);
  if (!second) return std::nullopt;
  return *minute + seconds(*second);
}

// The words of a moment; what is empty was not given.
struct Words {
  std::string day;  // "fri", "2026-11-27"
  std::string clock;
  std::string zone;
};

std::optional<Words> parse_words(std::string_view text) {
  std::string spaced(text);
  constexpr std::size_t kDateBytes = 10;
  if (spaced.size() > kDateBytes && spaced[kDateBytes] == 'T') spaced[kDateBytes] = ' ';
  const auto split_words = split(spaced);
  std::vector<std::string> words(split_words.begin(), split_words.end());
  Words found;
  if (!words.empty() && words.front().find(':') == std::string::npos) {
    found.day = words.front();
    words.erase(words.begin());
  }
  if (words.empty() || words.size() > 2) return std::nullopt;
  found.clock = words.front();
  if (words.size() == 2) {
    found.zone = words.back();
  } else if (found.clock.ends_with('Z')) {
    found.clock.pop_back();
    found.zone = "UTC";
  }
  return found;
}

Result<local_days> find_day(const std::string& word, local_days today) {
  if (word.empty()) return today;
  if (const auto wanted = find_weekday(word)) return today + (*wanted - weekday(today));
  const auto date = parse_date(word);
  if (!date) return tl::unexpected(date.error());
  return to_local_days(*date);
}

Error not_a_moment(std::string_view text) {
  return {
      format("`{}` is not a moment: write `23:10`, `fri 23:10`, `2026-11-27 23:10` or "
             "`2026-11-27T22:10:00Z`; the name of a time zone may follow",
             printable(text))};
}

}  // namespace

Result<Time> parse_moment(std::string_view text, Time now) {
  const auto words = parse_words(text);
  const auto clock = words ? parse_clock(words->clock) : std::nullopt;
  if (!clock) return tl::unexpected(not_a_moment(text));
  const auto zone = words->zone.empty() ? Zone::of_machine() : Zone::find(words->zone);
  if (!zone) return tl::unexpected(zone.error());
  const auto today = floor<days>(zone->shown_at(floor<seconds>(now)));
  const auto day = find_day(words->day, today);
  if (!day) return tl::unexpected(day.error());
  const sys_seconds moment = zone->first_from(*day + *clock);
  if (moment > floor<seconds>(Time::max()) || moment < ceil<seconds>(Time::min()))
    return fail(format("`{}` is too far away", printable(text)));
  return moment;
}

std::string to_utc_string(Time time) {
  const auto second = floor<seconds>(time);  // midnight may be before all Times
  const auto day = floor<days>(second);
  const year_month_day date(day);
  const hh_mm_ss clock(second - day);
  return format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

}  // namespace nfsteer
