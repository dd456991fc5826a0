#include <algorithm>

#include "nfsteer/policy.hpp"

namespace nfsteer {
namespace {

bool matches(const Policy& policy, const Flow& flow) noexcept {
  return std::all_of(policy.match.begin(), policy.match.end(),
                     [&](const Criterion& criterion) { return criterion.matches(flow); });
}

// Whether the group can serve the flow; where not, the decision remembers it.
bool usable(const Snapshot& snapshot, std::uint32_t group, const Flow& flow,
            Decision& decision) noexcept {
  if (!snapshot.groups[group].pool(flow.family()).servers.empty()) return true;
  if (!decision.failed_group) decision.failed_group = group;
  return false;
}

// Completes the decision with a server of the group; false where it has none.
bool choose(const Snapshot& snapshot, std::uint32_t group, const Flow& flow,
            Decision& decision) noexcept {
  if (!usable(snapshot, group, flow, decision)) return false;
  const Pool& pool = snapshot.groups[group].pool(flow.family());
  decision.action = Action::Steer;
  decision.group = group;
  decision.server = pool.servers[pool.balancer->pick(hash(flow.tuple))].id;
  return true;
}

// Completes the decision by the table's best usable route; false where none is.
bool follow(const Snapshot& snapshot, std::uint32_t table, const Flow& flow,
            Decision& decision) noexcept {
  const Table& routes = snapshot.tables[table];
  const Route* route = routes.lookup(flow.tuple.destination, [&](const Route& candidate) {
    return usable(snapshot, candidate.group, flow, decision);
  });
  if (!route) return false;
  decision.table = table;
  decision.route = static_cast<std::uint32_t>(route - routes.routes().data());
  return choose(snapshot, route->group, flow, decision);
}

}  // namespace

const char* name(Action action) noexcept {
  switch (action) {
    case Action::Steer:
      return "steer";
    case Action::Accept:
      return "accept";
    case Action::Drop:
      return "drop";
    case Action::Reject:
      break;
  }
  return "reject";
}

Decision decide(const Snapshot& snapshot, const Flow& flow) noexcept {
  Decision decision;
  for (std::uint32_t i = 0; i < snapshot.policies.size(); ++i) {
    const Policy& policy = snapshot.policies[i];
    if (!matches(policy, flow)) continue;
    decision.policy = i;
    if (policy.group && choose(snapshot, *policy.group, flow, decision)) return decision;
    if (policy.table && follow(snapshot, *policy.table, flow, decision)) return decision;
    if (policy.action != Action::Steer) {
      decision.action = policy.action;
      return decision;
    }
  }
  decision.policy.reset();
  for (std::uint32_t i = 0; i < snapshot.tables.size(); ++i)
    if (follow(snapshot, i, flow, decision)) return decision;
  return decision;
}

std::uint32_t mark_bits(const MarkLayout& layout, const Decision& decision) noexcept {
  switch (decision.action) {
    case Action::Steer:
      return layout.server(decision.server);
    case Action::Accept:
      return layout.pass();
    case Action::Reject:
      return layout.reject();
    case Action::Drop:
      break;
  }
  return 0;
}

}  // namespace nfsteer
