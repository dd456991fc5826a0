#include "nfsteer/policy.hpp"

namespace nfsteer {
namespace {

// One flow on its way through the snapshot, up to the choice.
class Way {
 public:
  Way(const Snapshot& snapshot, const Activity& activity, const Flow& flow) noexcept
      : snapshot_(snapshot), flow_(flow), subject_(subject_of(snapshot, activity, flow)) {}

  Decision find() noexcept {
    for (std::uint32_t found = first_rule(0); found != Classifier::kNone;) {
      const Rule& rule = snapshot_.rules[found];
      decision_.dry_run |= rule.dry_run;
      if (!rule.dry_run && take(rule.aim)) {
        decision_.policy = rule.policy;
        return decision_;
      }
      found = first_rule(rule.rules_end);
    }
    for (std::uint32_t table = 0; table < snapshot_.tables.size(); ++table)
      if (take_table(table)) return decision_;
    if (!take(snapshot_.no_route)) decision_.action = Action::Accept;
    return decision_;
  }

 private:
  std::uint32_t first_rule(std::uint32_t from) const noexcept {
    return snapshot_.classifier.first_match(subject_, from);
  }

  // Each goes the way there, if it leads anywhere.
  bool take(const Aim& aim) noexcept {
    if (aim.group) return take_group(*aim.group);
    if (aim.table) return take_table(*aim.table);
    decision_.action = aim.action;
    return true;
  }

  bool take_group(std::uint32_t group) noexcept {
    if (!is_usable(group)) return false;
    decision_.action = Action::Steer;
    decision_.group = group;
    return true;
  }

  bool take_table(std::uint32_t index) noexcept {
    const Table& table = snapshot_.tables[index];
    for (auto tier = table.best(flow_.tuple.destination); tier.count > 0;
         tier = table.next_best(tier))
      for (std::uint32_t i = tier.first; i < tier.first + tier.count; ++i)
        if (take_route(table.routes()[i])) {
          decision_.table = index;
          decision_.route = tier.first;
          return true;
        }
    if (!table.default_group() || !take_group(*table.default_group())) return false;
    decision_.table = index;
    return true;
  }

  bool take_route(const Route& route) noexcept {
    if (route.action == Action::Steer) return take_group(route.group);
    decision_.action = route.action;
    return true;
  }

  bool is_usable(std::uint32_t group) noexcept {
    if (snapshot_.groups[group].is_usable(flow_.family())) return true;
    if (!decision_.failed_group) decision_.failed_group = group;
    return false;
  }

  const Snapshot& snapshot_;
  const Flow& flow_;
  const Subject subject_;
  Decision decision_;
};

// The route of the way's tier that the flow takes.
void choose_route(const Snapshot& snapshot, const Flow& flow, std::uint64_t flow_hash,
                  Decision& decision) noexcept {
  const Table& table = snapshot.tables[*decision.table];
  const auto is_usable = [&](const Route& route) {
    return route.action != Action::Steer || snapshot.groups[route.group].is_usable(flow.family());
  };
  const auto chosen = table.choose(table.tier_of(*decision.route), flow_hash, is_usable);
  decision.route = *chosen;
  const Route& route = table.routes()[*chosen];
  decision.action = route.action;
  decision.group.reset();
  if (route.action == Action::Steer) decision.group = route.group;
}

}  // namespace

Subject subject_of(const Snapshot& snapshot, const Activity& activity, const Flow& flow) noexcept {
  Subject subject{flow, activity};
  if (!snapshot.countries) return subject;
  if (snapshot.reads.source_country)
    subject.source_country = snapshot.countries->find(flow.tuple.source);
  if (snapshot.reads.destination_country)
    subject.destination_country = snapshot.countries->find(flow.tuple.destination);
  return subject;
}

Decision find_way(const Snapshot& snapshot, const Activity& activity, const Flow& flow) noexcept {
  return Way(snapshot, activity, flow).find();
}

Decision go(const Snapshot& snapshot, const Decision& way, const Flow& flow, Turn turn) noexcept {
  Decision decision = way;
  const std::uint64_t flow_hash = hash(flow.tuple);
  if (decision.route) choose_route(snapshot, flow, flow_hash, decision);
  if (decision.action != Action::Steer) return decision;
  const Pool& pool = snapshot.groups[*decision.group].pool(flow.family());
  decision.server = pool.servers[pool.balancer->pick(flow_hash, turn)].id;
  return decision;
}

Decision decide(const Snapshot& snapshot, const Activity& activity, const Flow& flow,
                Turn turn) noexcept {
  return go(snapshot, find_way(snapshot, activity, flow), flow, turn);
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
