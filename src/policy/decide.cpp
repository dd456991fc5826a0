#include "nfsteer/policy.hpp"

namespace nfsteer {
namespace {

const TupleKey kWholeKey = mask_of(kWholeTuple);

// One flow on its way through the snapshot, up to the choice.
class Way {
 public:
  Way(const Snapshot& snapshot, const Situation& situation, const Flow& flow) noexcept
      : snapshot_(snapshot),
        situation_(situation),
        flow_(flow),
        subject_(subject_of(snapshot, situation.activity, flow)) {}

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
    if (situation_.lineups[group]->side(flow_.family()).is_usable()) return true;
    if (!decision_.failed_group) decision_.failed_group = group;
    return false;
  }

  const Snapshot& snapshot_;
  const Situation& situation_;
  const Flow& flow_;
  const Subject subject_;
  Decision decision_;
};

// The route of the way's tier that the flow takes, of those whose group `leads`
// somewhere.
template <typename Leads>
OptionalIndex choose_route(const Snapshot& snapshot, const Situation& situation,
                           const Decision& way, const Flow& flow, std::uint64_t flow_hash,
                           Leads leads) noexcept {
  const Table& table = snapshot.tables[*way.table];
  const auto chosen = table.choose(table.tier_of(*way.route), flow_hash, [&](const Route& route) {
    return route.action != Action::Steer ||
           leads(situation.lineups[route.group]->side(flow.family()));
  });
  return chosen ? OptionalIndex(*chosen) : OptionalIndex();
}

bool is_open_now(const Lineup::Side& side) noexcept {
  return side.is_usable();
}
bool has_servers(const Lineup::Side& side) noexcept {
  return !side.tiers().empty();
}

// The server of the group that the client had before, while it may take flows and
// none that comes before it may; else the balancer's choice.
ServerId choose_server(const Group& group, const Lineup::Side& side, const Flow& flow,
                       const Pick& pick) noexcept {
  const Address& client = flow.tuple.source;
  std::optional<ServerId> chosen;
  if (group.affinity) chosen = group.affinity->find(client, pick.now_s);
  if (!chosen || !side.takes(*chosen)) chosen = side.choose(pick);
  if (!chosen) return side.choose_beyond(pick);
  if (group.affinity && pick.turn == Turn::Take) group.affinity->keep(client, *chosen, pick.now_s);
  return *chosen;
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

Decision find_way(const Snapshot& snapshot, const Situation& situation, const Flow& flow) noexcept {
  return Way(snapshot, situation, flow).find();
}

bool still_leads(const Snapshot& snapshot, const Situation& situation, const Decision& way,
                 const Flow& flow) noexcept {
  if (way.route) return choose_route(snapshot, situation, way, flow, 0, &is_open_now).has_value();
  return way.action != Action::Steer ||
         situation.lineups[*way.group]->side(flow.family()).is_usable();
}

Decision go(const Snapshot& snapshot, const Situation& situation, const Decision& way,
            const Flow& flow, Turn turn, std::uint32_t now_s) noexcept {
  Decision decision = way;
  const TupleKey tuple(flow.tuple);
  const std::uint64_t seed = snapshot.engine.hash_seed;
  const std::uint64_t flow_hash = hash(tuple, seed);
  if (way.route) {
    decision.route = choose_route(snapshot, situation, way, flow, flow_hash, &is_open_now);
    if (!decision.route)  // all got full just now
      decision.route = choose_route(snapshot, situation, way, flow, flow_hash, &has_servers);
    const Route& route = snapshot.tables[*way.table].routes()[*decision.route];
    decision.action = route.action;
    decision.group.reset();
    if (route.action == Action::Steer) decision.group = route.group;
  }
  if (decision.action != Action::Steer) return decision;
  const Group& group = snapshot.groups[*decision.group];
  const Lineup& lineup = *situation.lineups[*decision.group];
  const Lineup::Side& side = lineup.side(flow.family());
  const bool whole = lineup.hashed == kWholeKey;
  const Pick pick{whole ? flow_hash : hash(tuple & lineup.hashed, seed), now_s, turn};
  decision.server = choose_server(group, side, flow, pick);
  if (turn == Turn::Take) snapshot.gauges->assign(decision.server);
  return decision;
}

Decision decide(const Snapshot& snapshot, const Situation& situation, const Flow& flow, Turn turn,
                std::uint32_t now_s) noexcept {
  return go(snapshot, situation, find_way(snapshot, situation, flow), flow, turn, now_s);
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
