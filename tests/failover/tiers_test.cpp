#include <doctest/doctest.h>

#include <random>
#include <string>

#include "nfsteer/base/text.hpp"
#include "nfsteer/failover.hpp"

using namespace nfsteer;

namespace {

// "+++ --+ |": a sign a server, a tier behind each bar. +: usable, -: down, .: taken
// out by somebody; a digit before it is its weight.
std::vector<TierMember> members(std::string_view text) {
  std::vector<TierMember> made;
  std::size_t tier = 0;
  double weight = 1;
  for (const char sign : text) {
    if (sign == '|') ++tier;
    if (sign >= '1' && sign <= '9') weight = sign - '0';
    if (sign != '+' && sign != '-' && sign != '.') continue;
    made.push_back({tier, std::exchange(weight, 1), sign != '.', sign != '-'});
  }
  return made;
}

// "70! 30": of each tier the percent of flows, and whether it panics; then who takes.
std::string text_of(const TierPlan& plan) {
  std::vector<std::string> tiers;
  for (std::size_t i = 0; i < plan.shares.size(); ++i)
    tiers.push_back(format("{:.0f}{}", plan.shares[i] * 100, plan.panic[i] ? "!" : ""));
  std::string takes;
  for (const bool each : plan.takes) takes += each ? '+' : '-';
  return format("{} {}", join(tiers, " "), takes);
}

}  // namespace

TEST_CASE("tiers: who takes flows, and how many") {
  struct Case {
    const char* servers;
    const char* want;
  };
  static constexpr Case kCases[] = {
      // one tier
      {"+++", "100 +++"},
      {"++-", "100 ++-"},
      {"+-", "100 +-"},     // half is not below half
      {"+--", "100! +++"},  // a third is
      {"---", "0 ---"},     // nobody is left: routes and tables find another way
      {"9+---", "100 +---"},
      {"+9-", "100! ++"},  // by weight
      {"+..", "100 +--"},  // taken out is not failed
      {"+-.", "100 +--"},
      {"...", "0 ---"},
      // a second tier
      {"+++|++", "100 0 +++++"},
      {"+++++++--|++", "100 0 +++++++--++"},  // 7/9 of the weight is still enough
      {"++++++----|++", "84 16 ++++++----++"},
      {"+-|+", "70 30 +-+"},
      {"+---|++", "35 65 +---++"},
      {"---|++", "0 100 ---++"},
      {"...|++", "0 100 ---++"},
      // both are weak: they share what they can, and panic below half
      {"+---|+---", "50! 50! ++++++++"},
      {"+--|+-", "47 53 +--+-"},
      {"+---|---", "100! 0 ++++---"},
      {"---|+---", "0 100! ---++++"},
      {"---|---", "0 0 ------"},
      // a third
      {"--|+-|+", "0 70 30 --+-+"},
      {"+---|+---|+---", "35 35 30 +---+---+---"},
      {"+----|+----|+----", "33! 33! 33! +++++++++++++++"},
      {"+---|+--|+", "35 47 18 +---+--+"},
      // none at all
      {"", " "},
  };
  for (const Case& one : kCases) {
    CAPTURE(std::string(one.servers));
    CHECK(text_of(plan_tiers(members(one.servers), {})) == one.want);
  }
}

TEST_CASE("tiers: min_up, floor and panic as configured") {
  struct Case {
    const char* servers;
    std::uint32_t min_up;
    std::size_t floor;
    std::uint32_t panic_percent;
    const char* want;
  };
  static constexpr Case kCases[] = {
      {"++-|++", 2, 0, 50, "93 7 ++-++"},
      {"+--|++", 2, 0, 50, "0 100 +--++"},  // too few
      {"+--|+", 2, 0, 50, "47 53 +--+"},    // both have too few: as if there were no bound
      {"+--", 2, 0, 50, "100! +++"},
      {"+|+", 5, 0, 50, "100 0 ++"},
      {"++|++", 1, 1, 50, "0 100 ++++"},  // the first was given up
      {"++|+-", 1, 1, 50, "0 100 +++-"},
      {"++|--", 1, 1, 50, "100 0 ++--"},  // the second cannot
      {"+-|--", 1, 1, 50, "100 0 +---"},
      {"++|++", 1, 7, 50, "100 0 ++++"},  // there is no such tier any more
      {"+--", 1, 0, 0, "100 +--"},        // never
      {"++-", 1, 0, 67, "100! +++"},
      {"++-", 1, 0, 66, "100 ++-"},
      {"+++", 1, 0, 100, "100 +++"},
  };
  for (const Case& one : kCases) {
    CAPTURE(std::string(one.servers));
    FailoverConfig config;
    config.min_up = one.min_up;
    config.panic_percent = one.panic_percent;
    CHECK(text_of(plan_tiers(members(one.servers), config, one.floor)) == one.want);
  }
}

TEST_CASE("tiers: the first that gets flows") {
  CHECK(plan_tiers(members("+|+"), {}).first() == 0);
  CHECK(plan_tiers(members("-|+"), {}).first() == 1);
  CHECK(plan_tiers(members("-|-"), {}).first() == std::nullopt);
  CHECK(!plan_tiers(members("-|+"), {}).has_panic());
  CHECK(plan_tiers(members("+--"), {}).has_panic());
}

TEST_CASE("tiers: whoever is usable somewhere, flows go where somebody takes them") {
  std::mt19937 random(1);
  const auto below = [&random](unsigned limit) { return static_cast<unsigned>(random() % limit); };
  for (int i = 0; i < 20'000; ++i) {
    std::vector<TierMember> made(below(9));
    for (TierMember& member : made) member = {below(3), 1.0 + below(4), below(5) > 0, below(2) > 0};
    FailoverConfig config;
    config.min_up = 1 + below(3);
    config.panic_percent = 25 * below(5);
    const TierPlan plan = plan_tiers(made, config, below(4));
    CAPTURE(i);
    double sum = 0;
    bool any = false;
    for (const double share : plan.shares) sum += share;
    for (std::size_t m = 0; m < made.size(); ++m) {
      const bool is_usable = made[m].wanted && made[m].healthy;
      any |= is_usable;
      if (is_usable) CHECK(plan.takes[m]);
      if (!made[m].wanted) CHECK(!plan.takes[m]);
      if (plan.takes[m] && !made[m].healthy) CHECK(plan.panic[made[m].tier]);
    }
    CHECK(sum == doctest::Approx(any ? 1 : 0));
    for (std::size_t t = 0; t < plan.shares.size(); ++t) {
      bool taken = false;
      for (std::size_t m = 0; m < made.size(); ++m)
        taken |= made[m].tier == t && made[m].healthy && plan.takes[m];
      if (plan.shares[t] > 0) CHECK(taken);
    }
  }
}
