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

}  // namespace nfsteer
