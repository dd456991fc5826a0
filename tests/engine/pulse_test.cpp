#include "engine/pulse.hpp"

#include <doctest/doctest.h>

#include <memory>

using namespace nfsteer;
using namespace std::chrono_literals;

TEST_CASE("pulse: a thread that stands still is found, and only that") {
  const auto shared = std::make_unique<SharedState>();
  const PulseWatch::Instant start{1'000s};
  PulseWatch watch;
  watch.begin(*shared, 2, start);
  const auto all_beat = [&] {
    shared->control.beat();
    shared->workers[0].beat();
    shared->workers[1].beat();
  };
  for (int i = 1; i < 100; ++i) {
    all_beat();
    CHECK(!watch.look(*shared, start + i * 4s));
  }
  auto now = start + 400s;
  all_beat();
  CHECK(!watch.look(*shared, now));

  SUBCASE("a worker") {
    for (int i = 0; i < 9; ++i) {
      shared->control.beat();
      shared->workers[0].beat();
      CHECK(!watch.look(*shared, now += 500ms));
    }
    const auto stuck = watch.look(*shared, now += 500ms);
    REQUIRE(stuck);
    CHECK(stuck->thread == "the worker of queue 1");
    CHECK(stuck->limit == 5s);
    watch.begin(*shared, 2, now);  // the next engine
    CHECK(!watch.look(*shared, now + 4s));
  }
  SUBCASE("the control thread, which may take longer") {
    for (int i = 0; i < 14; ++i) {
      shared->workers[0].beat();
      shared->workers[1].beat();
      CHECK(!watch.look(*shared, now += 1s));
    }
    shared->workers[0].beat();
    shared->workers[1].beat();
    CHECK(watch.look(*shared, now += 1s)->thread == "the control thread");
  }
}
