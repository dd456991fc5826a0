// What clients of the control socket ask of the engine.
#include <unistd.h>

#include <chrono>

#include "engine.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {

Status Engine::status() {
  Status status;
  status.version = NFSTEER_VERSION;
  status.generation = seat_.rules.number();
  status.queues = describe_queues(workers_);
  subtract(status.queues, baseline_);
  status.counted = steering_.statistics(seconds());
  checks_.describe(status.counted);
  status.starts = seat_.starts;
  status.pid = ::getpid();
  status.uptime_s = std::chrono::duration<double>(Clock::now() - started_).count();
  status.state = state_;
  status.reloads = reloads_;
  status.reloads_failed = reloads_failed_;
  status.ruleset_repairs = guard_.repairs();
  status.fallback_updates = guard_.updates();
  status.snapshots = 1 + steering_.worlds_left();
  status.conntrack = describe_conntrack();
  return status;
}

Result<Explanation> Engine::explain(const FlowQuestion& question) {
  const Time now = std::chrono::system_clock::now();
  const auto flow = parse_flow(question);
  if (!flow) return tl::unexpected(flow.error());
  const auto at = parse_time(question, now);
  if (!at) return tl::unexpected(at.error());
  Situation then = steering_.world().situation;
  if (question.at) then.activity = activity_at(snapshot(), *at);
  return nfsteer::explain(snapshot(), then, *flow, *at, seconds());
}

Result<AffinityList> Engine::affinity(const AffinityQuestion& question) {
  const auto wanted = read(question);
  if (!wanted) return tl::unexpected(wanted.error());
  AffinityList list;
  for (const auto& [group, prefix] : *wanted)
    for (const Affinity::Entry& entry : group->affinity->list(prefix, seconds()))
      if (const Server* server = find_server(entry.server); ++list.total <= kAffinityListMax)
        list.entries.push_back(
            {group->name, to_string(entry.client), server ? server->name : "-", entry.age_s});
  return list;
}

Result<std::uint64_t> Engine::flush_affinity(const AffinityQuestion& question) {
  const auto wanted = read(question);
  if (!wanted) return tl::unexpected(wanted.error());
  std::uint64_t forgotten = 0;
  for (const auto& [group, prefix] : *wanted) forgotten += group->affinity->forget(prefix);
  return forgotten;
}

Result<StaleFlows> Engine::flush_stale(bool dry_run) {
  const auto found = feed_.reconcile(dry_run);
  if (!found) return tl::unexpected(found.error());
  StaleFlows stale;
  for (const StaleFlow& flow : *found)
    stale.flows.push_back(format("{}: {}", to_string(flow.tuple), flow.reason));
  return stale;
}

void Engine::flush_cache() {
  steering_.flush_cache();
}

void Engine::flush_stats() {
  steering_.reset_statistics();
  baseline_ = describe_queues(workers_);
  feed_baseline_ = feed_.counts();
}

Result<FlushedFlows> Engine::flush_flows(const std::optional<std::string>& group,
                                         const std::optional<std::string>& server) {
  FlushedFlows flushed;
  bool known = !group && !server;
  const auto counts = netlink::count_flows(snapshot().engine.mark.mask);
  if (!counts) return tl::unexpected(counts.error());
  flush_cache();  // before, or the next packet of a flow would bring its server back
  for (const Server* each : snapshot().servers) {
    if (!each) continue;
    const std::string& in_group = snapshot().groups[snapshot().server_groups[each->id]].name;
    if ((group && *group != in_group) || (server && *server != name_of(*each))) continue;
    known = true;
    const std::uint32_t mark = snapshot().engine.mark.server(each->id);
    const auto flows = counts->find(mark);
    if (flows == counts->end()) continue;
    if (auto deleted = netlink::delete_flows(mark, snapshot().engine.mark.mask); !deleted)
      return tl::unexpected(std::move(deleted.error()));
    flushed.flows += flows->second;
  }
  if (!known) return fail(server ? unknown("server", *server) : unknown("group", *group));
  return flushed;
}

// The groups that the question is about, each with each prefix.
Result<Engine::Clients> Engine::read(const AffinityQuestion& question) const {
  std::vector<Prefix> prefixes = {{Address::v4(0), 0}, {Address::v6(0, 0), 0}};
  if (question.client) {
    const auto client = parse_prefix(*question.client);
    if (!client) return tl::unexpected(client.error());
    prefixes = {*client};
  }
  Clients wanted;
  bool known = !question.group;
  for (const Group& group : snapshot().groups) {
    if (question.group && *question.group != group.name) continue;
    known = true;
    if (question.group && !group.affinity)
      return fail(format("group `{}` has no affinity", group.name));
    for (const Prefix& prefix : prefixes)
      if (group.affinity) wanted.emplace_back(&group, prefix);
  }
  if (!known) return fail(unknown("group", *question.group));
  return wanted;
}

ConntrackStatus Engine::describe_conntrack() const {
  const FeedCounts counts = feed_.counts();
  const auto usage = netlink::conntrack_usage().value_or(netlink::ConntrackUsage());
  return {.entries = usage.entries,
          .max = usage.max,
          .flows = counts.flows,
          .events = counts.events - feed_baseline_.events,
          .overruns = counts.overruns - feed_baseline_.overruns,
          .resyncs = counts.resyncs - feed_baseline_.resyncs,
          .unknown = counts.unknown - feed_baseline_.unknown,
          .broken = counts.broken - feed_baseline_.broken,
          .deleted = counts.deleted - feed_baseline_.deleted};
}

const Server* Engine::find_server(ServerId id) const {
  return id < snapshot().servers.size() ? snapshot().servers[id] : nullptr;
}

std::string Engine::name_of(const Server& server) const {
  return format("{}/{}", snapshot().groups[snapshot().server_groups[server.id]].name, server.name);
}

std::string Engine::unknown(std::string_view what, const std::string& name) const {
  std::vector<std::string> names;
  for (const Group& group : snapshot().groups) {
    if (what == "group") names.push_back(group.name);
    for (const Pool* pool : {&group.v4, &group.v6})
      for (const Server& server : pool->servers)
        if (what == "server") names.push_back(format("{}/{}", group.name, server.name));
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  const auto meant = nearest(name, views);
  return format("there is no {} `{}`{}", what, printable(name),
                meant ? format(": did you mean `{}`?", *meant) : "");
}

}  // namespace nfsteer
