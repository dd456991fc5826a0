#include "nfsteer/steering.hpp"

#include <algorithm>
#include <utility>

#include "fleet.hpp"
#include "nfsteer/base/text.hpp"
#include "totals.hpp"

namespace nfsteer {
namespace {

// How often the weights of servers that start slowly are set.
constexpr std::chrono::seconds kStartStep{1};

std::shared_ptr<const Desks> make_desks(const Snapshot& snapshot, std::size_t count) {
  auto desks = std::make_shared<Desks>();
  for (std::size_t i = 0; i < count; ++i) desks->push_back(std::make_unique<Desk>(snapshot));
  return desks;
}

std::unique_ptr<const World> first_world(std::size_t deciders, GroupStates& states) {
  auto world = std::make_unique<World>();
  world->snapshot = compile({}, states);
  world->desks = make_desks(*world->snapshot, deciders);
  world->situation = situation_at(*world->snapshot, Time());
  return world;
}

}  // namespace

Steering::Steering(std::size_t deciders, std::span<Ticket> kept_tickets)
    : worlds_(first_world(deciders, states_), deciders),
      carried_(std::make_unique<Totals>(snapshot())),
      baseline_(std::make_unique<Totals>(snapshot())),
      fleet_(std::make_unique<Fleet>(states_.gauges)),
      now_(std::chrono::system_clock::now()),
      instant_(std::chrono::steady_clock::now()) {
  states_.kept_tickets = kept_tickets;
  for (std::size_t i = 0; i < deciders; ++i)
    deciders_.push_back(std::make_unique<Decider>(worlds_, i));
}

Steering::~Steering() = default;

void Steering::publish(World world, bool forget) {
  world.epoch = worlds_.latest().epoch + (forget ? 1 : 0);
  worlds_.publish(std::make_unique<const World>(std::move(world)));
}

// Servers keep their ids for as long as anybody may remember them: until another
// got the id.
void Steering::know(const KnownIds& known) {
  known_.servers.insert(known.servers.begin(), known.servers.end());
  known_.in_use = known.in_use;
  std::map<ServerIdentity, ServerId> present;
  std::set<ServerId> taken;
  for (const Server* server : snapshot().servers) {
    if (!server) continue;
    const Group& group = snapshot().groups[snapshot().server_groups[server->id]];
    present[{format("{}/{}", group.name, server->name), server->address, server->port}] =
        server->id;
    taken.insert(server->id);
  }
  std::erase_if(known_.servers, [&taken](const auto& each) { return taken.contains(each.second); });
  known_.servers.merge(present);
  known_.in_use.merge(taken);
}

Prepared prepare(const Config& config) {
  return {compile_rules(config), config.groups, config.schedules, config.checks};
}

std::vector<Problem> Steering::apply(const Config& config, const KnownIds& known) {
  std::vector<Problem> problems = validate(config);
  if (!problems.empty()) return problems;
  KnownIds all = known;
  all.in_use.insert(known_.in_use.begin(), known_.in_use.end());
  (void)apply(prepare(config), all, [](const World&) { return Result<void>(); });
  return problems;
}

Result<void> Steering::apply(Prepared prepared, const KnownIds& known, const Commit& commit) {
  know(known);
  settle();
  const Retired replaced{worlds_.latest().snapshot, worlds_.latest().desks};
  const auto owners = states_.identities;
  compile_groups(*prepared.snapshot, prepared.groups, states_, known_);
  World next = world_of(std::move(prepared.snapshot));
  if (auto committed = commit(next); !committed) {
    states_.identities = owners;
    fleet_->enlist(*replaced.snapshot, instant_, now_);
    fleet_->take_changed(*replaced.snapshot, now_);
    return committed;
  }
  for (const auto& [id, identity] : states_.identities)
    if (const auto owner = owners.find(id); owner != owners.end() && owner->second != identity)
      earlier_[id] = records_.read(id);
  groups_ = std::move(prepared.groups);
  schedules_ = std::move(prepared.schedules);
  checks_ = std::move(prepared.checks);
  publish(std::move(next));
  retired_.push_back(replaced);
  *carried_ = carried_->renamed(*replaced.snapshot, snapshot());
  *baseline_ = baseline_->renamed(*replaced.snapshot, snapshot());
  return {};
}

World Steering::world_of(std::shared_ptr<const Snapshot> snapshot) const {
  World made;
  made.snapshot = std::move(snapshot);
  made.desks = make_desks(*made.snapshot, deciders_.size());
  fleet_->enlist(*made.snapshot, instant_, now_);
  made.situation.activity = activity_at(*made.snapshot, now_);
  for (std::size_t i = 0; i < made.snapshot->groups.size(); ++i)
    made.situation.lineups.push_back(fleet_->line_up(*made.snapshot, i, now_));
  fleet_->take_changed(*made.snapshot, now_);
  made.interfaces = worlds_.latest().interfaces;
  return made;
}

Time Steering::set_time(Time now) {
  const Time before = std::exchange(now_, now);
  const World& old = worlds_.latest();
  Situation next{activity_at(*old.snapshot, now), old.situation.lineups};
  const bool scheduled = next.activity.schedules != old.situation.activity.schedules;
  Time again = next_activity(snapshot(), now);
  std::vector<std::size_t> starting;
  for (std::size_t i = 0; i < snapshot().groups.size(); ++i)
    if (fleet_->uptimes().is_starting(snapshot().groups[i], before)) starting.push_back(i);
  fleet_->uptimes().advance(snapshot(), before, now);
  for (const std::size_t i : starting) {
    next.lineups[i] = fleet_->line_up(snapshot(), i, now);
    if (fleet_->uptimes().is_starting(snapshot().groups[i], now))
      again = std::min(again, now + kStartStep);
  }
  // Where only weights differ, what is remembered stays right.
  if (scheduled || !starting.empty())
    publish({old.snapshot, old.desks, std::move(next), old.interfaces}, scheduled);
  return again;
}

// What is remembered of flows stays right: of each server that takes no flows any more
// the gauges tell.
void Steering::refresh_lineups() {
  const auto changed = fleet_->take_changed(snapshot(), now_);
  if (changed.empty()) return;
  const World& old = worlds_.latest();
  Situation next = old.situation;
  for (const std::size_t group : changed)
    next.lineups[group] = fleet_->line_up(snapshot(), group, now_);
  publish({old.snapshot, old.desks, std::move(next), old.interfaces}, false);
}

void Steering::set_check(std::string_view server, std::optional<bool> is_up,
                         const std::string& reason, Instant now) {
  if (const Server* found = find_server(server)) fleet_->set_check(*found, is_up, reason, now);
  refresh_lineups();
}

void Steering::pass_check(std::string_view server, Instant when, Instant now) {
  if (const Server* found = find_server(server)) fleet_->pass(*found, when, now);
  refresh_lineups();
}

Steering::Instant Steering::advance(Instant now) {
  instant_ = now;
  const Instant next = fleet_->advance(now);
  refresh_lineups();
  return next;
}

void Steering::set_overrides(Overrides overrides, Instant now) {
  const Overrides before = fleet_->overrides();
  fleet_->set_overrides(snapshot(), std::move(overrides), now, now_);
  const auto state_in = [](const Overrides& all, const std::string& name) {
    const auto found = all.servers.find(name);
    return found == all.servers.end() ? std::nullopt : found->second.state;
  };
  for (const auto* all : {&before, &fleet_->overrides()})
    for (const auto& [name, of_server] : all->servers)
      if (state_in(before, name) != state_in(fleet_->overrides(), name))
        fleet_->fail_back(name.substr(0, name.find('/')));
  refresh_lineups();
}

const Overrides& Steering::overrides() const noexcept {
  return fleet_->overrides();
}

void Steering::tell(FailoverReason reason, const std::string& subject, std::string text) {
  fleet_->board().tell(reason, subject, std::move(text));
}

std::vector<FailoverEvent> Steering::take_events() {
  return fleet_->board().take_events();
}

ServerState Steering::state_of(const Server& server) const {
  return fleet_->state_of(server);
}

std::uint32_t Steering::weight_of(const Server& server) const {
  return fleet_->weight_of(server);
}

ServerHealth Steering::health_of(const Server& server) const {
  return fleet_->board().health(server.identity);
}

const Server* Steering::find_server(std::string_view name) const {
  const std::size_t slash = name.find('/');
  for (const Group& group : snapshot().groups) {
    if (group.name != name.substr(0, slash) || slash == name.npos) continue;
    for (const Pool* pool : {&group.v4, &group.v6})
      for (const Server& server : pool->servers)
        if (server.name == name.substr(slash + 1)) return &server;
  }
  return nullptr;
}

void Steering::set_interfaces(InterfaceNames interfaces) {
  const World& old = worlds_.latest();
  if (interfaces == old.interfaces) return;
  const FlowFields& reads = snapshot().reads;
  publish({old.snapshot, old.desks, old.situation, std::move(interfaces)},
          reads.in_interface || reads.out_interface);
}

void Steering::flush_cache() {
  publish(worlds_.latest());
}

// The desks of earlier snapshots count on until no decider is at them; then
// their sums become part of carried_.
void Steering::settle() {
  worlds_.reclaim();
  std::erase_if(retired_, [this](const Retired& each) {
    const bool is_final = each.desks.use_count() == 1;
    if (is_final) carried_->add(counted(each));
    return is_final;
  });
}

// Under the names of the snapshot in force.
Totals Steering::counted(const Retired& retired) const {
  Totals sum(*retired.snapshot);
  sum.add(*retired.desks, world().epoch);
  return sum.renamed(*retired.snapshot, snapshot());
}

Totals Steering::totals() {
  settle();
  Totals sum(snapshot());
  sum.add(*world().desks, world().epoch);
  for (const Retired& each : retired_) sum.add(counted(each));
  sum.add(*carried_);
  return sum;
}

Statistics Steering::statistics(std::uint32_t now_s) {
  Totals sum = totals();
  sum.subtract(*baseline_);
  const Time clock_start = std::chrono::system_clock::now() - std::chrono::seconds(now_s);
  Statistics made = describe(snapshot(), sum, clock_start);
  describe_traffic(
      snapshot(), [this](ServerId id) { return figures_of(id); }, clock_start, made);
  for (std::size_t i = 0; i < made.groups.size(); ++i) describe_health(i, made.groups[i]);
  for (std::size_t i = 0; i < kFailoverReasons; ++i) {
    const auto reason = static_cast<FailoverReason>(i);
    made.failover[name(reason)] = fleet_->board().count(reason);
  }
  for (std::size_t i = 0; i < made.groups.size(); ++i)
    if (const auto& affinity = snapshot().groups[i].affinity)
      made.groups[i].affinity = {affinity->clients(now_s), affinity->evictions()};
  for (std::size_t i = 0; i < snapshot().schedules.size(); ++i) {
    const Schedule& schedule = snapshot().schedules[i];
    const Time next = schedule.next_change(now_);
    made.schedules.push_back({schedule.name(),
                              (world().situation.activity.schedules[i / 64] >> i % 64 & 1) != 0,
                              next == Time::max() ? std::nullopt : std::optional(next)});
  }
  return made;
}

void Steering::describe_health(std::size_t index, GroupStatistics& made) const {
  const Group& group = snapshot().groups[index];
  made.algorithm = fleet_->algorithm_of(group).name;
  made.failover = name(group.failover.failover);
  for (const Family family : {Family::V4, Family::V6}) {
    const TierPlan& plan = fleet_->plan_of(index, family);
    made.panic |= plan.has_panic();
    if (const auto first = plan.first())
      made.tier = std::max(made.tier.value_or(1), static_cast<std::uint32_t>(*first + 1));
  }
  for (ServerStatistics& made_server : made.servers) {
    const Server& server = *snapshot().servers[made_server.id];
    const ServerHealth health = fleet_->board().health(server.identity);
    made_server.state = name(fleet_->state_of(server));
    made_server.weight = fleet_->weight_of(server);
    made_server.ejected = health.is_ejected;
    if (health.is_up) made_server.health = *health.is_up ? "up" : "down";
  }
}

std::vector<RouteStatistics> Steering::route_statistics(std::string_view table) {
  Totals sum = totals();
  sum.subtract(*baseline_);
  for (std::size_t i = 0; i < snapshot().tables.size(); ++i)
    if (snapshot().tables[i].name() == table)
      return describe_routes(snapshot(), snapshot().tables[i], sum.routes[i]);
  return {};
}

ServerFigures Steering::figures_of(ServerId id) const {
  ServerFigures figures = records_.read(id);
  if (const auto earlier = earlier_.find(id); earlier != earlier_.end()) figures -= earlier->second;
  return figures;
}

void Steering::reset_statistics() {
  *baseline_ = totals();
  for (const auto& [id, identity] : states_.identities) earlier_[id] = records_.read(id);
}

}  // namespace nfsteer
