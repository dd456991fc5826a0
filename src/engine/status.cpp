#include "status.hpp"

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

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

void subtract(QueueStatus& status, const QueueStatus& baseline) {
  status.received -= baseline.received;
  status.accepted -= baseline.accepted;
  status.dropped -= baseline.dropped;
  status.rejected -= baseline.rejected;
  status.passed -= baseline.passed;
  for (const auto& [name, count] : baseline.errors) status.errors[name] -= count;
}

}  // namespace

std::vector<QueueStatus> describe_queues(const Workers& workers) {
  std::vector<QueueStatus> queues;
  const auto kernel = netlink::queue_states();
  for (const auto& worker : workers)
    queues.push_back(describe_queue(*worker, worker->account(), kernel));
  return queues;
}

void subtract(std::vector<QueueStatus>& queues, const std::vector<QueueStatus>& baseline) {
  for (std::size_t i = 0; i < baseline.size(); ++i) subtract(queues[i], baseline[i]);
}

}  // namespace nfsteer
