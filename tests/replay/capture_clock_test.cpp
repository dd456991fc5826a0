#include "replay/capture_clock.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace nfsteer;

namespace {

constexpr double kStart = 1'700'000'000;
constexpr double kDay = 24 * 3600;

Time at(double seconds) {
  return Time(std::chrono::duration_cast<Time::duration>(
      std::chrono::nanoseconds(std::llround((kStart + seconds) * 1e3) * 1'000'000)));
}

}  // namespace

TEST_CASE("clock of a capture: what has passed, and what it shows, after each stamp") {
  const struct {
    const char* remark;
    std::vector<double> stamps;   // seconds after the first
    std::vector<double> elapsed;  // after each
    double wall;                  // after the last
    std::uint64_t backward;
  } kCases[] = {
      {"forward", {0, 1, 1, 5}, {0, 1, 1, 5}, 5, 0},
      {"out of order: it stands still", {0, 1, 0.5, 0.9, 2}, {0, 1, 1, 1, 2}, 2, 1},
      {"many of two queues: it does not run faster",
       {0, 1, 0.5, 1.5, 1, 2, 1.5, 2.5},
       {0, 1, 1, 1.5, 1.5, 2, 2, 2.5},
       2.5,
       3},
      {"a second back is disorder yet", {0, 10, 9, 10.5}, {0, 10, 10, 10.5}, 10.5, 1},
      {"longer back: it was set, and goes on", {0, 10, 8.9, 9.9}, {0, 10, 10, 11}, 9.9, 1},
      {"set back by an hour", {0, 10, -3590, -3589}, {0, 10, 10, 11}, -3589, 1},
      {"set forward", {0, 10, 3610, 3611}, {0, 10, 3610, 3611}, 3611, 0},
      {"a day of silence", {0, kDay}, {0, kDay}, kDay, 0},
      {"more: believed when the next says so",
       {0, kDay + 1, kDay + 2},
       {0, 0, kDay + 2},
       kDay + 2,
       0},
      {"a stray stamp ahead", {0, 1, 9e8, 2, 3}, {0, 1, 1, 2, 3}, 3, 1},
      {"a stray stamp behind", {0, 1, -9e8, 2, 3}, {0, 1, 1, 2, 3}, 3, 1},
      {"two strays that do not agree", {0, 9e8, 1.8e9, 1}, {0, 0, 0, 1}, 1, 1},
      {"two strays, not one after the other", {0, 9e8, 1, 9e8, 2}, {0, 0, 1, 1, 2}, 2, 2},
      {"far back, and it stays there", {0, -9e8, -9e8 + 1, -9e8 + 2}, {0, 0, 0, 1}, -9e8 + 2, 1},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.remark);
    CaptureClock clock;
    for (std::size_t i = 0; i < row.stamps.size(); ++i) {
      clock.advance(at(row.stamps[i]));
      CAPTURE(i);
      CHECK(clock.elapsed() == at(row.elapsed[i]) - at(0));
    }
    CHECK(clock.wall() == at(row.wall));
    CHECK(clock.backward() == row.backward);
  }
}

TEST_CASE("clock of a capture: a century is enough, however often it leaps") {
  CaptureClock clock;
  std::chrono::nanoseconds before{0};
  for (int i = 0; i < 1'000; ++i) {
    for (const std::int64_t seconds : {std::int64_t{0}, std::int64_t{0xffff'ffff}})
      for (int twice = 0; twice < 2; ++twice) clock.advance(Time(std::chrono::seconds(seconds)));
    CHECK(clock.elapsed() >= before);
    before = clock.elapsed();
  }
  CHECK(clock.elapsed() == CaptureClock::kElapsedMax);
}
