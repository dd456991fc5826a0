#include <algorithm>
#include <cassert>

#include "nfsteer/base/text.hpp"
#include "nfsteer/replay.hpp"

namespace nfsteer {
namespace {

std::size_t count_able(const Lineup::Side& side) noexcept {
  std::size_t able = 0;
  for (const Lineup::Tier& tier : side.tiers())
    able += static_cast<std::size_t>(std::ranges::count_if(
        tier.members, [](const Member& member) { return member.portion > 0; }));
  return able;
}

std::string target_of(const Snapshot& snapshot, const Route& route) {
  return route.action == Action::Steer ? snapshot.groups[route.group].name : name(route.action);
}

void add_rule(std::uint64_t flows, const std::function<std::string()>& text, ReplayReport& report) {
  ++report.rules;
  if (flows > 0) return;
  if (report.not_met.size() < kRulesListedMax)
    report.not_met.push_back(text());
  else
    ++report.not_met_unlisted;
}

}  // namespace

Rehearsal::Rehearsal(const Config& config) {
  [[maybe_unused]] const auto problems = steering_.apply(config);
  assert(problems.empty());
  assigned_.resize(snapshot().servers.size());
  taken_.resize(snapshot().servers.size());
  defaults_.resize(snapshot().tables.size());
  for (std::size_t i = 0; i < snapshot().groups.size(); ++i)
    fixed_.push_back({has_one_choice(i, Family::V4), has_one_choice(i, Family::V6)});
}

Decision Rehearsal::decide(const FlowEvent& event) {
  set_time(event.at);
  Decider& decider = steering_.decider(0);
  decider.enter();
  const Decision decision = decider.decide(
      *event.flow, static_cast<std::uint32_t>(
                       std::chrono::duration_cast<std::chrono::seconds>(event.after).count()));
  decider.leave();

  ++actions_[static_cast<std::size_t>(decision.action)];
  if (decision.table && !decision.route) ++defaults_[*decision.table];
  if (!decision.table && !decision.policy) ++no_route_;
  if (decision.action == Action::Steer) assign(event.number, decision.server);
  return decision;
}

void Rehearsal::set_time(Time at) {
  const bool is_due = at >= next_change_ || at < time_.value_or(at);
  if (is_due) next_change_ = steering_.set_time(at);
  time_ = at;
}

// What the decider remembered it has not counted as the server's again.
void Rehearsal::assign(std::uint32_t number, ServerId server) {
  ++taken_[server];
  Gauges& gauges = steering_.gauges();
  if (gauges[server].assigned == assigned_[server]) gauges.assign(server);
  assigned_[server] = gauges[server].assigned;
  if (number >= servers_.size()) servers_.resize(number + std::size_t{1});
  servers_[number] = server;
}

void Rehearsal::end(std::uint32_t number) {
  if (number >= servers_.size() || servers_[number] == 0) return;
  steering_.gauges().settle(servers_[number]);
  servers_[number] = 0;
}

bool Rehearsal::has_one_choice(std::size_t group, Family family) const {
  const Algorithm& algorithm = *find_algorithm(snapshot().groups[group].algorithm);
  return algorithm.hashes != Algorithm::Hashes::Nothing ||
         count_able(steering_.world().situation.lineups[group]->side(family)) <= 1;
}

// ---- the report -------------------------------------------------------------------

const Tallies& Rehearsal::tallies() const noexcept {
  return steering_.world().desks->front()->tallies;
}

ReplayReport Rehearsal::report() const {
  ReplayReport report;
  for (const Action action : {Action::Steer, Action::Accept, Action::Drop, Action::Reject}) {
    const std::uint64_t flows = actions_[static_cast<std::size_t>(action)];
    report.actions[name(action)] = flows;
    report.flows += flows;
  }
  report.no_route = no_route_;
  report_rules(report);
  for (std::size_t i = 0; i < snapshot().groups.size(); ++i) report_group(i, report);
  return report;
}

void Rehearsal::report_rules(ReplayReport& report) const {
  for (std::size_t i = 0; i < snapshot().policies.size(); ++i) {
    const Policy& policy = snapshot().policies[i];
    const std::uint64_t flows = tallies().policies[i].packets.read();
    report.policies.push_back({policy.name, policy.dry_run, flows});
    add_rule(
        flows, [&] { return format("policy {}", policy.name); }, report);
  }
  for (std::size_t i = 0; i < snapshot().tables.size(); ++i) report_table(i, report);
}

void Rehearsal::report_table(std::size_t index, ReplayReport& report) const {
  const Table& table = snapshot().tables[index];
  ReplayReport::TableFlows made{table.name(), defaults_[index], defaults_[index], {}};
  for (std::size_t i = 0; i < table.routes().size(); ++i) {
    const Route& route = table.routes()[i];
    const std::uint64_t flows = tallies().routes[index][i].packets.read();
    const auto text = [&] {
      return format("route {} of {} (metric {}, to {})", to_string(route.prefix), table.name(),
                    route.metric, target_of(snapshot(), route));
    };
    add_rule(flows, text, report);
    if (flows == 0) continue;
    made.flows += flows;
    made.routes.push_back({{to_string(route.prefix), route.metric, route.weight},
                           target_of(snapshot(), route),
                           flows});
  }
  if (table.default_group())
    add_rule(
        defaults_[index], [&] { return format("default of {}", table.name()); }, report);
  report.tables.push_back(std::move(made));
}

void Rehearsal::report_group(std::size_t index, ReplayReport& report) const {
  const Group& group = snapshot().groups[index];
  const Lineup& lineup = *steering_.world().situation.lineups[index];
  ReplayReport::GroupFlows made;
  made.name = group.name;
  made.algorithm = group.algorithm;
  made.failed = tallies().groups[index].failed.read();
  made.able = count_able(lineup.v4) + count_able(lineup.v6);
  made.is_fixed = fixed_[index][0] && fixed_[index][1];
  for (const Pool* pool : {&group.v4, &group.v6})
    for (const Server& server : pool->servers) {
      made.flows += taken_[server.id];
      made.servers.push_back(
          {server.name, to_string(server.address), server.port, taken_[server.id]});
    }
  report.groups.push_back(std::move(made));
}

// ---- all flows ----------------------------------------------------------------------

void rehearse(FlowSource& flows, Rehearsal& rehearsal, const EachDecision& each) {
  while (const auto event = flows.next()) {
    if (!event->flow)
      rehearsal.end(event->number);
    else if (!each(*event, rehearsal.decide(*event)))
      return;
  }
}

}  // namespace nfsteer
