#include <doctest/doctest.h>

#include "nfsteer/failover.hpp"

using namespace nfsteer;
using namespace std::chrono_literals;

namespace {

constexpr Ejection::Instant at(std::chrono::seconds time) {
  return Ejection::Instant(1'000'000s + time);
}

}  // namespace

TEST_CASE("ejection: each time one step longer, up to the most, until it is forgotten") {
  struct Case {
    std::chrono::seconds begins, ends;
    std::uint32_t times;
  };
  static constexpr Case kCases[] = {
      {0s, 30s, 1},       {30s, 90s, 2},  // at once again
      {100s, 190s, 3},                    // a little later
      {489s, 609s, 4},                    // 299 s after the last
      {909s, 939s, 1},                    // 300 s after: forgotten
      {1000s, 1060s, 2},  {1060s, 1150s, 3},  {1150s, 1270s, 4}, {1270s, 1420s, 5},
      {1420s, 1600s, 6},  {1600s, 1810s, 7},  {1810s, 2050s, 8}, {2050s, 2320s, 9},
      {2320s, 2620s, 10}, {2620s, 2920s, 11},  // 300 s is the most
      {2921s, 3221s, 12},
  };
  Ejection ejection;
  CHECK(!ejection.is_on(at(0s)));
  for (const Case& one : kCases) {
    CAPTURE(one.begins.count());
    ejection.begin(at(one.begins));
    CHECK(ejection.begun() == at(one.begins));
    CHECK(ejection.until() == at(one.ends));
    CHECK(ejection.times() == one.times);
    CHECK(ejection.is_on(at(one.begins)));
    CHECK(ejection.is_on(at(one.ends) - 1ns));
    CHECK(!ejection.is_on(at(one.ends)));
  }
}

TEST_CASE("ejection: ended before its time, it is not forgotten") {
  Ejection ejection;
  ejection.begin(at(0s));
  ejection.end(at(10s));
  CHECK(!ejection.is_on(at(10s)));
  ejection.end(at(20s));  // it is over
  CHECK(ejection.until() == at(10s));
  ejection.begin(at(20s));
  CHECK(ejection.until() == at(80s));
}

TEST_CASE("failover: how many failures in a row are a sign") {
  struct Case {
    Failover failover;
    std::uint32_t failures, want;
  };
  static constexpr Case kCases[] = {
      {Failover::None, 3, 0},    {Failover::Immediate, 3, 1}, {Failover::Delayed, 3, 3},
      {Failover::Delayed, 7, 7}, {Failover::Probe, 3, 0},
  };
  for (const Case& one : kCases) {
    FailoverConfig config;
    config.failover = one.failover;
    config.failures = one.failures;
    CAPTURE(std::string(name(one.failover)));
    CHECK(patience(config) == one.want);
  }
}
