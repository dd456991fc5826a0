#include "zone.hpp"

#include <date/tz.h>

#include <algorithm>
#include <exception>
#include <vector>

#include "nfsteer/base/text.hpp"

// The library's objects have another layout without it.
static_assert(USE_OS_TZDB, "date::date-tz defines how the library was built");

namespace nfsteer {
namespace {

using std::chrono::days;
using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

// Reads the zone's file if nobody has yet: nothing throws after that.
const date::time_zone& loaded(const date::time_zone& zone) {
  zone.get_info(sys_seconds{});
  return zone;
}

// In UTC, what a clock shows: the instant is less than a day from it.
sys_seconds as_utc(local_seconds shown) {
  return sys_seconds{shown.time_since_epoch()};
}

// Some of the library's messages end with the line.
std::string_view first_line(std::string_view text) {
  return text.substr(0, text.find('\n'));
}

}  // namespace

Result<Zone> Zone::find(const std::string& name) try {
  const auto& zones = date::get_tzdb().zones;
  const auto found = std::find_if(zones.begin(), zones.end(),
                                  [&name](const auto& zone) { return zone.name() == name; });
  if (found != zones.end()) return Zone(loaded(*found));
  std::vector<std::string_view> known;
  for (const auto& zone : zones) known.emplace_back(zone.name());
  const auto meant = nearest(name, known);
  return fail(
      format("`{}` is not a time zone{}", printable(name),
             meant ? format(": did you mean `{}`?", *meant) : std::string(" that tzdata knows")));
} catch (const std::exception& error) {
  return fail(format("the time zones of tzdata cannot be read: {}", first_line(error.what())));
}

Result<Zone> Zone::of_machine() try {
  return Zone(loaded(*date::current_zone()));
} catch (const std::exception& error) {
  return fail(format("the time zone of this machine is not known ({}): name one, such as UTC",
                     first_line(error.what())));
}

local_seconds Zone::shown_at(sys_seconds time) const {
  return local_seconds{(time + zone_->get_info(time).offset).time_since_epoch()};
}

sys_seconds Zone::first_from(local_seconds shown) const {
  const sys_seconds utc = as_utc(shown);
  for (auto info = zone_->get_info(utc - days(1));; info = zone_->get_info(info.end)) {
    const sys_seconds time = std::max(info.begin, utc - info.offset);
    if (time < info.end) return time;
  }
}

sys_seconds Zone::last_before(local_seconds shown) const {
  const sys_seconds utc = as_utc(shown);
  for (auto info = zone_->get_info(utc + days(1));;
       info = zone_->get_info(info.begin - seconds(1))) {
    const sys_seconds time = std::min(info.end, utc - info.offset);
    if (time > info.begin) return time;
  }
}

}  // namespace nfsteer
