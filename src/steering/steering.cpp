#include "nfsteer/steering.hpp"

#include <algorithm>
#include <utility>

#include "nfsteer/base/text.hpp"
#include "totals.hpp"
#include "uptimes.hpp"

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
      uptimes_(std::make_unique<Uptimes>()),
      now_(std::chrono::system_clock::now()) {
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
  known_.in_use.insert(known.in_use.begin(), known.in_use.end());
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

std::vector<Problem> Steering::apply(const Config& config, const KnownIds& known) {
  std::vector<Problem> problems = validate(config);
  if (!problems.empty()) return problems;
  know(known);
  settle();
  const World& old = worlds_.latest();
  const Retired replaced{old.snapshot, old.desks};
  World next;
  const auto owners = states_.identities;
  next.snapshot = compile(config, states_, known_);
  for (const auto& [id, identity] : states_.identities)
    if (const auto owner = owners.find(id); owner != owners.end() && owner->second != identity)
      earlier_[id] = records_.read(id);
  next.desks = make_desks(*next.snapshot, deciders_.size());
  uptimes_->enlist(*next.snapshot, now_);
  next.situation.activity = activity_at(*next.snapshot, now_);
  for (const Group& group : next.snapshot->groups)
    next.situation.lineups.push_back(line_up(*next.snapshot, group));
  next.interfaces = old.interfaces;
  publish(std::move(next));
  retired_.push_back(replaced);
  *carried_ = carried_->renamed(*replaced.snapshot, snapshot());
  *baseline_ = baseline_->renamed(*replaced.snapshot, snapshot());
  return problems;
}

Time Steering::set_time(Time now) {
  const Time before = std::exchange(now_, now);
  const World& old = worlds_.latest();
  Situation next{activity_at(*old.snapshot, now), old.situation.lineups};
  const bool scheduled = next.activity.schedules != old.situation.activity.schedules;
  Time again = next_activity(snapshot(), now);
  std::vector<std::size_t> starting;
  for (std::size_t i = 0; i < snapshot().groups.size(); ++i)
    if (uptimes_->is_starting(snapshot().groups[i], before)) starting.push_back(i);
  uptimes_->advance(snapshot(), before, now);
  for (const std::size_t i : starting) {
    const Group& group = snapshot().groups[i];
    next.lineups[i] = line_up(snapshot(), group);
    if (uptimes_->is_starting(group, now)) again = std::min(again, now + kStartStep);
  }
  // Where only weights differ, what is remembered stays right.
  if (scheduled || !starting.empty())
    publish({old.snapshot, old.desks, std::move(next), old.interfaces}, scheduled);
  return again;
}

std::shared_ptr<const Lineup> Steering::line_up(const Snapshot& snapshot,
                                                const Group& group) const {
  return make_lineup(snapshot, group,
                     [&](const Server& server) { return uptimes_->portion(group, server, now_); });
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
