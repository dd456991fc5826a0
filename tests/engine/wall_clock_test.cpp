#include "engine/wall_clock.hpp"

#include <doctest/doctest.h>
#include <poll.h>

using namespace nfsteer;
using namespace std::chrono_literals;
using std::chrono::steady_clock;
using std::chrono::system_clock;

namespace {

constexpr int kPatience_ms = 20'000;  // only reached where something is broken

bool becomes_readable(const WallClock& clock, int patience_ms = kPatience_ms) {
  pollfd poll{.fd = clock.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&poll, 1, patience_ms) == 1;
}

}  // namespace

TEST_CASE("wall clock: readable at its time, and not before") {
  WallClock clock;
  const Time due = system_clock::now() + 30ms;
  clock.set(due);
  REQUIRE(becomes_readable(clock));
  CHECK(system_clock::now() >= due);

  // Stays so until it is set again.
  CHECK(becomes_readable(clock, 0));
  const Time later = system_clock::now() + 30ms;
  clock.set(later);
  const bool too_soon = becomes_readable(clock, 0) && system_clock::now() < later;
  CHECK_FALSE(too_soon);
  CHECK(becomes_readable(clock));
}

TEST_CASE("wall clock: a time that has passed is now") {
  WallClock clock;
  for (const Time past : {system_clock::now() - 24h, Time(), Time::min()}) {
    clock.set(past);
    CHECK(becomes_readable(clock));
  }
}

TEST_CASE("wall clock: however far its time is, it looks again after a second") {
  WallClock tomorrow, never;
  const auto start = steady_clock::now();
  tomorrow.set(system_clock::now() + 24h);
  never.set(Time::max());
  REQUIRE(becomes_readable(tomorrow));
  REQUIRE(becomes_readable(never));
  const auto passed = steady_clock::now() - start;
  CHECK(passed >= WallClock::kLookAgain - 10ms);  // the clocks are not one
  CHECK(passed < 10s);
}
