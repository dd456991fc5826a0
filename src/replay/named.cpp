// Decisions in words.
#include "nfsteer/base/text.hpp"
#include "nfsteer/replay.hpp"

namespace nfsteer {

NamedDecision named(const Snapshot& snapshot, const Decision& decision, bool with_server) {
  NamedDecision made;
  made.action = name(decision.action);
  if (decision.policy) made.policy = snapshot.policies[*decision.policy].name;
  if (decision.table) {
    const Table& table = snapshot.tables[*decision.table];
    made.table = table.name();
    if (decision.route) {
      const Route& route = table.routes()[*decision.route];
      made.route = {to_string(route.prefix), route.metric, route.weight};
    }
  }
  if (decision.action != Action::Steer) return made;
  made.group = snapshot.groups[*decision.group].name;
  if (!with_server) return made;
  const Server& server = *snapshot.servers[decision.server];
  made.server = format("{}/{}", *made.group, server.name);
  made.address = to_string(server.address);
  made.port = server.port;
  return made;
}

std::string place_text(const NamedDecision& decision) {
  return decision.server ? *decision.server : decision.group.value_or(decision.action);
}

std::string rule_text(const NamedDecision& decision) {
  std::string way;
  if (decision.route)
    way = format("route {} of {}", decision.route->prefix, *decision.table);
  else if (decision.table)
    way = format("default of {}", *decision.table);
  if (decision.policy)
    return format("policy {}{}{}", *decision.policy, way.empty() ? "" : ", ", way);
  return way.empty() ? "on_no_route" : way;
}

}  // namespace nfsteer
