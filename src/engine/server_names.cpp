#include "server_names.hpp"

#include "nfsteer/base/text.hpp"

namespace nfsteer {

void ServerNames::set(const Steering& steering, const KnownIds& known) {
  const std::lock_guard lock(mutex_);
  for (const auto& [identity, id] : known.servers) servers_[id].name = identity.name;
  for (auto& [id, server] : servers_) {
    server.problem = "is gone";
    server.keeps_answered = false;
  }
  read(steering);
}

void ServerNames::update(const Steering& steering) {
  const std::lock_guard lock(mutex_);
  read(steering);
}

void ServerNames::read(const Steering& steering) {
  const Snapshot& snapshot = steering.snapshot();
  for (const nfsteer::Server* server : snapshot.servers) {
    if (!server) continue;
    const Group& group = snapshot.groups[snapshot.server_groups[server->id]];
    Server& made = servers_[server->id];
    made = {format("{}/{}", group.name, server->name)};
    const bool is_down =
        group.failover.failover != Failover::None && !steering.health_of(*server).is_healthy();
    if (steering.state_of(*server) == ServerState::Maintenance)
      made.problem = "is in maintenance";
    else if (is_down)
      made = {std::move(made.name), "is down", true};
  }
}

std::optional<std::string> ServerNames::why_stale(ServerId id, bool replied) const {
  const std::lock_guard lock(mutex_);
  const auto found = servers_.find(id);
  if (found == servers_.end() || !found->second.problem) return std::nullopt;
  if (replied && found->second.keeps_answered) return std::nullopt;
  return format("its server {} {}", found->second.name, found->second.problem);
}

}  // namespace nfsteer
