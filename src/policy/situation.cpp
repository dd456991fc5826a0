// What of a snapshot changes with the time.
#include "nfsteer/policy.hpp"

namespace nfsteer {

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
                                          const std::function<double(const Server&)>& portion) {
  const std::uint64_t seed = snapshot.engine.hash_seed;
  const Gauges& gauges = *snapshot.gauges;
  auto lineup = std::make_shared<Lineup>();
  lineup->v4 = Lineup::Side(group, group.v4, gauges, seed, portion);
  lineup->v6 = Lineup::Side(group, group.v6, gauges, seed, portion);
  return lineup;
}

Situation situation_at(const Snapshot& snapshot, Time time) {
  Situation situation{activity_at(snapshot, time), {}};
  for (const Group& group : snapshot.groups)
    situation.lineups.push_back(make_lineup(snapshot, group, [](const Server& server) {
      return server.state == ServerState::Up ? 1.0 : 0.0;
    }));
  return situation;
}

}  // namespace nfsteer
