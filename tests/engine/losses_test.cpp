// Losses of events: which reads are of no measure, and which listings make them good.
#include <doctest/doctest.h>

#include <vector>

#include "engine/losses.hpp"

using namespace nfsteer;

namespace {

struct Step {
  enum What { Read, Begin, End } what = Read;
  std::uint64_t overruns = 0;
  bool was_empty = false;
  bool want_lost = false;  // of a read
  bool want_needs_listing = false;
};
constexpr Step read(std::uint64_t overruns, bool lost, bool needs_listing) {
  return {Step::Read, overruns, false, lost, needs_listing};
}
constexpr Step read_none(std::uint64_t overruns, bool lost, bool needs_listing) {
  return {Step::Read, overruns, true, lost, needs_listing};
}
constexpr Step begin(bool needs_listing) {
  return {Step::Begin, 0, false, false, needs_listing};
}
constexpr Step end(bool needs_listing) {
  return {Step::End, 0, false, false, needs_listing};
}

struct Case {
  const char* name;
  std::vector<Step> steps;
};

const std::vector<Case> kCases = {
    {"no loss",
     {read(0, false, false), read_none(0, false, false), begin(false), read(0, false, false),
      end(false)}},
    {"every batch, up to the empty one",
     {read(0, false, false), read(1, true, true), read(1, true, true), read_none(1, true, true),
      read(1, false, true), read_none(1, false, true)}},
    {"at an empty read", {read_none(1, true, true), read(1, false, true)}},
    {"again, before the buffer was empty",
     {read(1, true, true), read(2, true, true), read_none(2, true, true), read(2, false, true)}},
    {"again, after it",
     {read_none(1, true, true), read(1, false, true), read(2, true, true), read(2, true, true)}},
    {"a listing makes good what was lost before it",
     {read(1, true, true), read_none(1, true, true), begin(true), read(1, false, true),
      end(false)}},
    {"a listing that does not end does not",
     {read_none(1, true, true), begin(true), read(1, false, true), begin(true), end(false)}},
    {"nor one beside which more is lost",
     {read_none(1, true, true), begin(true), read_none(2, true, true), end(true), begin(true),
      end(false)}},
    {"nor one that was begun before the buffer was empty",
     {read(1, true, true), begin(true), read_none(1, true, true), end(true), begin(true),
      end(false)}},
    {"a first loss beside a listing", {begin(false), read_none(1, true, true), end(true)}},
};

}  // namespace

TEST_CASE("Losses: what is no measure, and what needs a listing") {
  for (const Case& each : kCases) {
    Losses losses;
    for (std::size_t i = 0; i < each.steps.size(); ++i) {
      const Step& step = each.steps[i];
      INFO(each.name, ", step ", i);
      if (step.what == Step::Read)
        CHECK(losses.take(step.overruns, step.was_empty) == step.want_lost);
      if (step.what == Step::Begin) losses.begin_listing();
      if (step.what == Step::End) losses.end_listing();
      CHECK(losses.needs_listing() == step.want_needs_listing);
    }
  }
}
