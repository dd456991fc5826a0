#include "server_names.hpp"

#include "nfsteer/base/text.hpp"

namespace nfsteer {

void ServerNames::set(const Snapshot& snapshot, const KnownIds& known) {
  const std::lock_guard lock(mutex_);
  for (const auto& [identity, id] : known.servers) names_[id] = identity.name;
  present_.clear();
  for (const Server* server : snapshot.servers) {
    if (!server) continue;
    const Group& group = snapshot.groups[snapshot.server_groups[server->id]];
    names_[server->id] = format("{}/{}", group.name, server->name);
    present_.insert(server->id);
  }
}

std::optional<std::string> ServerNames::why_gone(ServerId id) const {
  const std::lock_guard lock(mutex_);
  if (present_.contains(id)) return std::nullopt;
  const auto name = names_.find(id);
  if (name == names_.end()) return "its server is gone";
  return format("its server {} is gone", name->second);
}

}  // namespace nfsteer
