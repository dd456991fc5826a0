// Parts of the notation that the header of the module does not offer.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "nfsteer/schedule.hpp"

namespace nfsteer {

// "mon" to "sun".
std::optional<std::chrono::weekday> find_weekday(std::string_view name) noexcept;
// The number that exactly two digits write, up to `max`.
std::optional<int> two_digits(std::string_view text, int max) noexcept;

// REQUIRES: a day that the calendar has
constexpr std::chrono::local_days to_local_days(const Date& date) noexcept {
  return std::chrono::local_days(std::chrono::year(date.year) / static_cast<int>(date.month) /
                                 static_cast<int>(date.day));
}

}  // namespace nfsteer
