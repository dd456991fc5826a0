// A time zone: what its clocks show at an instant, and when they show a time.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "nfsteer/base/result.hpp"

namespace date {
class time_zone;
}

namespace nfsteer {

// Constant; any thread. Clocks are known to change until 2037.
class Zone {
 public:
  // By its IANA name; the error has the nearest one.
  static Result<Zone> find(const std::string& name);
  // That of /etc/localtime.
  static Result<Zone> of_machine();

  std::chrono::local_seconds shown_at(std::chrono::sys_seconds time) const;
  // The first instant at which the clocks show this time or a later one: after a
  // gap if they skip it, the first of two if they show it twice.
  std::chrono::sys_seconds first_from(std::chrono::local_seconds shown) const;
  // The instant that follows the last at which the clocks show a time before this
  // one: after a gap if they skip it, the second of two if they show it twice.
  std::chrono::sys_seconds last_before(std::chrono::local_seconds shown) const;

 private:
  explicit Zone(const date::time_zone& zone) : zone_(&zone) {}

  const date::time_zone* zone_;  // never freed
};

}  // namespace nfsteer
