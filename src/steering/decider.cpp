#include <algorithm>

#include "nfsteer/steering.hpp"

namespace nfsteer {
namespace {

// Below this many rules to find a flow's way costs no more than to remember it.
constexpr std::size_t kRouteCachePays = 10'000;

std::size_t route_entries(const Snapshot& snapshot) {
  const bool pays = snapshot.rules.size() > kRouteCachePays;
  return snapshot.cache.route_entries.value_or(pays ? snapshot.cache.entries : 0);
}

}  // namespace

MemoKey::MemoKey(const Flow& flow, const FlowFields& reads) noexcept {
  const TupleKey tuple(flow.tuple);
  std::copy(tuple.words.begin(), tuple.words.end(), words.begin());
  if (flow.icmp_type) words[4] |= (std::uint64_t{*flow.icmp_type} + 1) << 16;
  FlowFields others;
  others.mark = reads.mark;
  others.in_interface = reads.in_interface;
  others.out_interface = reads.out_interface;
  others.uid = reads.uid;
  others.gid = reads.gid;
  if (others.mark || others.in_interface || others.out_interface || others.uid || others.gid)
    words[5] = hash(FlowKey(flow, others, 0, 0));
}

std::uint64_t hash(const MemoKey& key) noexcept {
  TupleKey tuple;
  std::copy_n(key.words.begin(), tuple.words.size(), tuple.words.begin());
  return hash(tuple) ^ key.words[5];
}

Remembered::Remembered(const Decision& decision) noexcept
    : action(decision.action),
      dry_run(decision.dry_run),
      server(decision.server),
      policy(decision.policy),
      table(decision.table),
      route(decision.route) {}

Decision Remembered::decision(const Snapshot& snapshot) const noexcept {
  Decision decision;
  decision.action = action;
  decision.dry_run = dry_run;
  decision.server = server;
  decision.policy = policy;
  decision.table = table;
  decision.route = route;
  if (action == Action::Steer) decision.group = snapshot.server_groups[server];
  return decision;
}

Tallies::Tallies(const Snapshot& snapshot)
    : policies(snapshot.policies.size()),
      groups(snapshot.groups.size()),
      selected(snapshot.servers.size()) {
  for (const Table& table : snapshot.tables) routes.emplace_back(table.routes().size());
}

Desk::Desk(const Snapshot& snapshot)
    : tallies(snapshot),
      memo(snapshot.cache.entries, snapshot.cache.timeout_s),
      ways(route_entries(snapshot), snapshot.cache.timeout_s) {}

Decider::Decider(Qsbr<World>& worlds, std::size_t number)
    : reader_(worlds.reader(number)), number_(number) {}

const World& Decider::enter() noexcept {
  world_ = &reader_.enter();
  desk_ = (*world_->desks)[number_].get();
  if (desk_->epoch.read() != world_->epoch) {
    desk_->epoch.set(world_->epoch);
    desk_->memo.forget_all();
    desk_->ways.forget_all();
  }
  return *world_;
}

Decision Decider::decide(const Flow& flow, std::uint32_t now_s) noexcept {
  const Snapshot& snapshot = *world_->snapshot;
  const MemoKey key(flow, snapshot.reads);
  const std::uint64_t key_hash = hash(key);
  const Remembered* known = desk_->memo.find(key, key_hash, now_s);
  if (known && !snapshot.gauges->is_barred(known->server)) {
    const Decision decision = known->decision(snapshot);
    count_packet(decision, flow, now_s);
    return decision;
  }
  const Decision way = find_way_by_cache(flow, now_s);
  const Decision decision = go(snapshot, world_->situation, way, flow, Turn::Take, now_s);
  desk_->memo.insert(key, key_hash, Remembered(decision), now_s);
  count_choice(decision);
  count_packet(decision, flow, now_s);
  return decision;
}

Decision Decider::find_way_by_cache(const Flow& flow, std::uint32_t now_s) noexcept {
  const Snapshot& snapshot = *world_->snapshot;
  const Situation& situation = world_->situation;
  if (!desk_->ways.is_on()) return find_way(snapshot, situation, flow);
  const Subject subject = subject_of(snapshot, situation.activity, flow);
  const FlowKey key(flow, snapshot.reads, subject.source_country, subject.destination_country);
  const std::uint64_t key_hash = hash(key);
  const Decision* known = desk_->ways.find(key, key_hash, now_s);
  if (known && still_leads(snapshot, situation, *known, flow)) return *known;
  const Decision way = find_way(snapshot, situation, flow);
  // What went past a group may find it ready the next time.
  if (!way.failed_group) desk_->ways.insert(key, key_hash, way, now_s);
  return way;
}

void Decider::count_choice(const Decision& decision) noexcept {
  Tallies& tallies = desk_->tallies;
  if (decision.failed_group) {
    tallies.groups[*decision.failed_group].requests.add(1);
    tallies.groups[*decision.failed_group].failed.add(1);
  }
  if (decision.action == Action::Steer) {
    tallies.groups[*decision.group].requests.add(1);
    tallies.selected[decision.server].add(1);
  }
}

void Decider::count_packet(const Decision& decision, const Flow& flow,
                           std::uint32_t now_s) noexcept {
  if (decision.policy) count_match(*decision.policy, flow, now_s);
  if (decision.route) {
    auto& route = desk_->tallies.routes[*decision.table][*decision.route];
    route.packets.add(1);
    route.bytes.add(flow.bytes);
  }
  if (decision.dry_run) count_dry_runs(decision, flow, now_s);
}

void Decider::count_match(std::uint32_t policy, const Flow& flow, std::uint32_t now_s) noexcept {
  auto& tally = desk_->tallies.policies[policy];
  tally.packets.add(1);
  tally.bytes.add(flow.bytes);
  tally.last.set(std::uint64_t{now_s} + 1);
}

// Once more through the policies that match, up to the one that decided. Rare:
// only flows that a policy with `dry_run` matched come here.
void Decider::count_dry_runs(const Decision& decision, const Flow& flow,
                             std::uint32_t now_s) noexcept {
  const Snapshot& snapshot = *world_->snapshot;
  const Subject subject = subject_of(snapshot, world_->situation.activity, flow);
  for (std::uint32_t found = snapshot.classifier.first_match(subject);
       found != Classifier::kNone;) {
    const Rule& rule = snapshot.rules[found];
    if (rule.policy == decision.policy) return;
    if (rule.dry_run) count_match(rule.policy, flow, now_s);
    found = snapshot.classifier.first_match(subject, rule.rules_end);
  }
}

}  // namespace nfsteer
