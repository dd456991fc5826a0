#include "server_names.hpp"

#include "nfsteer/base/text.hpp"

namespace nfsteer {

void ServerNames::set(const Snapshot& snapshot, const KnownIds& known) {
  const std::lock_guard lock(mutex_);
  for (const auto& [identity, id] : known.servers) servers_[id].name = identity.name;
  for (auto& [id, server] : servers_) server.problem = "is gone";
  for (const nfsteer::Server* server : snapshot.servers) {
    if (!server) continue;
    const Group& group = snapshot.groups[snapshot.server_groups[server->id]];
    const bool maintained = server->state == ServerState::Maintenance;
    servers_[server->id] = {format("{}/{}", group.name, server->name),
                            maintained ? "is in maintenance" : nullptr};
  }
}

std::optional<std::string> ServerNames::why_stale(ServerId id) const {
  const std::lock_guard lock(mutex_);
  const auto found = servers_.find(id);
  if (found == servers_.end() || !found->second.problem) return std::nullopt;
  return format("its server {} {}", found->second.name, found->second.problem);
}

}  // namespace nfsteer
