// What of a snapshot changes with the time.
#include "nfsteer/policy.hpp"

namespace nfsteer {
namespace {

TupleParts parts_hashed(const Group& group, const Algorithm& algorithm) {
  if (group.hash) return *group.hash;
  TupleParts source;
  source.source = true;
  return algorithm.hashes == Algorithm::Hashes::Source ? source : kWholeTuple;
}

}  // namespace

Activity activity_at(const Snapshot& snapshot, Time time) {
  Activity activity;
  activity.schedules.resize((snapshot.schedules.size() + 63) / 64);
  for (std::size_t i = 0; i < snapshot.schedules.size(); ++i)
    if (snapshot.schedules[i].is_active(time))
      activity.schedules[i / 64] |= std::uint64_t{1} << i % 64;
  activity.rules = snapshot.classifier.awake(activity.schedules);
  return activity;
}

Time next_activity(const Snapshot& snapshot, Time time) {
  Time next = Time::max();
  for (const Schedule& schedule : snapshot.schedules)
    next = std::min(next, schedule.next_change(time));
  return next;
}

std::shared_ptr<const Lineup> make_lineup(const Snapshot& snapshot, const Group& group,
                                          const Algorithm& algorithm, const LineupPlan& v4,
                                          const LineupPlan& v6) {
  const std::uint64_t seed = snapshot.engine.hash_seed;
  const Gauges& gauges = *snapshot.gauges;
  auto lineup = std::make_shared<Lineup>();
  lineup->algorithm = &algorithm;
  lineup->v4 = Lineup::Side(group, group.v4, algorithm, gauges, seed, v4);
  lineup->v6 = Lineup::Side(group, group.v6, algorithm, gauges, seed, v6);
  lineup->hashed = mask_of(parts_hashed(group, algorithm));
  return lineup;
}

Situation situation_at(const Snapshot& snapshot, Time time) {
  Situation situation{activity_at(snapshot, time), {}};
  const auto standing = [](const Server& server) {
    return Standing{server.weight, server.state == ServerState::Up ? 1.0 : 0.0, name(server.state)};
  };
  for (const Group& group : snapshot.groups) {
    const LineupPlan plan{standing};
    situation.lineups.push_back(
        make_lineup(snapshot, group, *find_algorithm(group.algorithm), plan, plan));
  }
  return situation;
}

}  // namespace nfsteer
