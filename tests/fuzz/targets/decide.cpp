// Decisions of a configuration that the bytes make, against the plain implementation.
#include <random>

#include "../../policy/oracle.hpp"
#include "../../policy/random_config.hpp"
#include "../fuzz.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;
using fuzz::Input;

FUZZ_TARGET(decide) {
  constexpr int kFlowsMax = 50;
  Input in(input);
  std::mt19937_64 behind(input.size());
  RandomWorld world(
      [&]() -> std::uint64_t { return in.is_empty() ? behind() : in.number<std::uint16_t>(); });
  const Config config = world.config(12, 20, false);
  for (const Problem& problem : validate(config))
    FUZZ_CHECK(problem.message.find(" server for ") != std::string::npos);
  static GroupStates states;  // as an engine has one, of all its configurations
  const auto snapshot = compile(config, states);
  const Oracle oracle(config);
  const Time time = world.time();
  const Activity by_hand = activity_by_hand(time, *snapshot);
  const Situation situation = situation_at(*snapshot, time);
  FUZZ_CHECK(situation.activity.schedules == by_hand.schedules);
  for (int i = 0; i == 0 || (i < kFlowsMax && !in.is_empty()); ++i) {
    const Flow flow = world.flow();
    const Decision peeked = decide(*snapshot, situation, flow, Turn::Peek);
    const Decision got = decide(*snapshot, situation, flow);
    FUZZ_CHECK(got == peeked);
    FUZZ_CHECK(agree(*snapshot, got, oracle.decide(flow, by_hand), flow));
    FUZZ_CHECK(still_leads(*snapshot, situation, find_way(*snapshot, situation, flow), flow));
  }
}
