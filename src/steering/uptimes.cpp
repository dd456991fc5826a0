#include "uptimes.hpp"

#include <algorithm>
#include <utility>

namespace nfsteer {

void Uptimes::enlist(const Snapshot& snapshot, Time now,
                     const std::function<bool(const Server&)>& takes) {
  const Time start = std::exchange(is_first_, false) ? Time::min() : now;
  std::map<std::uint64_t, Time> since;
  for (const Group& group : snapshot.groups)
    for (const Pool* pool : {&group.v4, &group.v6})
      for (const Server& server : pool->servers) {
        if (!takes(server)) continue;
        const auto known = since_.find(server.identity);
        since.emplace(server.identity, known == since_.end() ? start : known->second);
      }
  since_ = std::move(since);
}

void Uptimes::advance(const Snapshot& snapshot, Time from, Time to) {
  for (const Group& group : snapshot.groups)
    for (const Pool* pool : {&group.v4, &group.v6})
      for (const Server& server : pool->servers) {
        const auto since = since_.find(server.identity);
        if (since == since_.end()) continue;
        const bool warm = portion(group, server, from) >= 1;
        since->second = warm ? Time::min() : std::min(since->second, to);
      }
}

double Uptimes::portion(const Group& group, const Server& server, Time now) const {
  const auto since = since_.find(server.identity);
  if (since == since_.end()) return 0;
  if (group.slow_start_s == 0 || since->second == Time::min()) return 1;
  const std::chrono::duration<double> passed = now - since->second;
  return std::clamp(passed.count() / group.slow_start_s, 0.1, 1.0);
}

bool Uptimes::is_starting(const Group& group, Time now) const {
  const auto starts = [&](const Server& server) {
    return since_.contains(server.identity) && portion(group, server, now) < 1;
  };
  return group.slow_start_s > 0 &&
         (std::any_of(group.v4.servers.begin(), group.v4.servers.end(), starts) ||
          std::any_of(group.v6.servers.begin(), group.v6.servers.end(), starts));
}

}  // namespace nfsteer
