#include "drains.hpp"

#include <utility>

#include "nfsteer/base/text.hpp"

namespace nfsteer {

std::vector<const Server*> Drains::expired(const Steering& steering, Time now) {
  std::map<std::uint64_t, Drain> present;
  std::vector<const Server*> over;
  const Snapshot& snapshot = steering.snapshot();
  for (const Server* server : snapshot.servers) {
    if (!server || steering.state_of(*server) != ServerState::Drain) continue;
    const Group& group = snapshot.groups[snapshot.server_groups[server->id]];
    const auto known = drains_.find(server->identity);
    Drain drain = known == drains_.end() ? Drain{now} : known->second;
    const auto set = steering.overrides().servers.find(format("{}/{}", group.name, server->name));
    if (set != steering.overrides().servers.end() && set->second.since)
      if (const Time since = *set->second.since; since != drain.since) drain = {since};
    const auto passed = now - drain.since;
    if (passed >= std::chrono::seconds(group.drain.timeout_s) &&
        !std::exchange(drain.is_told, true))
      over.push_back(server);
    present[server->identity] = drain;
  }
  drains_ = std::move(present);
  return over;
}

}  // namespace nfsteer
