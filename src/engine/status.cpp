#include "status.hpp"

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

using Workers = std::vector<std::unique_ptr<Worker>>;

std::uint64_t& outcome(QueueStatus& status, Outcome outcome) {
  switch (outcome) {
    case Outcome::Accepted:
      return status.accepted;
    case Outcome::Dropped:
      return status.dropped;
    case Outcome::Rejected:
      return status.rejected;
    case Outcome::Passed:
      break;
  }
  return status.passed;
}

QueueStatus describe_queue(const Worker& worker, const QueueAccount& account,
                           const std::vector<netlink::QueueState>& kernel) {
  QueueStatus status;
  status.queue = worker.number();
  status.received = account.received;
  for (std::size_t i = 0; i < kOutcomes; ++i)
    outcome(status, static_cast<Outcome>(i)) = account.outcomes[i];
  for (std::size_t i = 0; i < kParseErrors; ++i)
    status.errors[name(static_cast<ParseError>(i))] = account.parse_errors[i];
  for (std::size_t i = 0; i < netlink::kQueueErrors; ++i)
    status.errors[name(static_cast<netlink::QueueError>(i))] = account.queue_errors[i];
  for (const netlink::QueueState& state : kernel) {
    if (state.number != status.queue) continue;
    status.waiting = state.waiting;
    status.errors["queue_full"] = state.dropped_full;
    status.errors["socket_full"] = state.dropped_socket;
  }
  return status;
}

template <typename Read>
std::uint64_t sum(const Workers& workers, Read read) {
  std::uint64_t total = 0;
  for (const auto& worker : workers) total += read(worker->tallies());
  return total;
}

GroupStatus describe_group(const Group& group, std::size_t index, const Workers& workers) {
  GroupStatus status;
  status.name = group.name;
  status.algorithm = group.algorithm;
  status.requests =
      sum(workers, [&](const Tallies& tallies) { return tallies.groups[index].requests.read(); });
  status.failed =
      sum(workers, [&](const Tallies& tallies) { return tallies.groups[index].failed.read(); });
  for (const Pool* pool : {&group.v4, &group.v6})
    for (const Server& server : pool->servers) {
      const std::uint64_t selected =
          sum(workers, [&](const Tallies& tallies) { return tallies.selected[server.id].read(); });
      status.selected += selected;
      status.servers.push_back({server.name, to_string(server.address), server.port, server.id,
                                server.weight, "up", selected});
    }
  return status;
}

void subtract(QueueStatus& status, const QueueStatus& baseline) {
  status.received -= baseline.received;
  status.accepted -= baseline.accepted;
  status.dropped -= baseline.dropped;
  status.rejected -= baseline.rejected;
  status.passed -= baseline.passed;
  for (const auto& [name, count] : baseline.errors) status.errors[name] -= count;
}

void subtract(GroupStatus& status, const GroupStatus& baseline) {
  status.requests -= baseline.requests;
  status.selected -= baseline.selected;
  status.failed -= baseline.failed;
  for (std::size_t i = 0; i < baseline.servers.size(); ++i)
    status.servers[i].selected -= baseline.servers[i].selected;
}

}  // namespace

Status describe(const Snapshot& snapshot, const Workers& workers) {
  Status status;
  status.version = NFSTEER_VERSION;
  const auto kernel = netlink::queue_states();
  for (const auto& worker : workers) {
    const QueueAccount account = worker->account();
    status.queues.push_back(describe_queue(*worker, account, kernel));
    status.cache.entries += account.memo.entries;
    status.cache.hits += account.memo.hits;
    status.cache.misses += account.memo.misses;
    status.cache.evictions += account.memo.evictions;
  }
  for (std::size_t i = 0; i < snapshot.groups.size(); ++i)
    status.groups.push_back(describe_group(snapshot.groups[i], i, workers));
  for (std::size_t i = 0; i < snapshot.policies.size(); ++i) {
    const auto packets = [i](const Tallies& tallies) { return tallies.policies[i].packets.read(); };
    const auto bytes = [i](const Tallies& tallies) { return tallies.policies[i].bytes.read(); };
    status.policies.push_back({snapshot.policies[i].name, snapshot.policies[i].priority,
                               sum(workers, packets), sum(workers, bytes)});
  }
  for (const Table& table : snapshot.tables)
    status.tables.push_back({table.name(), table.priority(), table.routes().size()});
  return status;
}

void subtract(Status& status, const Status& baseline) {
  for (std::size_t i = 0; i < baseline.queues.size(); ++i)
    subtract(status.queues[i], baseline.queues[i]);
  for (std::size_t i = 0; i < baseline.groups.size(); ++i)
    subtract(status.groups[i], baseline.groups[i]);
  for (std::size_t i = 0; i < baseline.policies.size(); ++i) {
    status.policies[i].packets -= baseline.policies[i].packets;
    status.policies[i].bytes -= baseline.policies[i].bytes;
  }
  status.cache.hits -= baseline.cache.hits;
  status.cache.misses -= baseline.cache.misses;
  status.cache.evictions -= baseline.cache.evictions;
}

}  // namespace nfsteer
