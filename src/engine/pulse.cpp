#include "pulse.hpp"

#include "nfsteer/base/text.hpp"

namespace nfsteer {

void PulseWatch::begin(const SharedState& shared, std::size_t workers, Instant now) {
  control_ = {shared.control.rounds, now};
  workers_.clear();
  for (std::size_t i = 0; i < workers; ++i) workers_.push_back({shared.workers[i].rounds, now});
}

std::optional<PulseWatch::Stuck> PulseWatch::look(const SharedState& shared, Instant now) {
  if (stands(control_, shared.control, kControlLimit, now))
    return Stuck{"the control thread", kControlLimit};
  for (std::size_t i = 0; i < workers_.size(); ++i)
    if (stands(workers_[i], shared.workers[i], kWorkerLimit, now))
      return Stuck{format("the worker of queue {}", i), kWorkerLimit};
  return std::nullopt;
}

bool PulseWatch::stands(Seen& seen, const Pulse& pulse, std::chrono::seconds limit, Instant now) {
  const std::uint64_t rounds = pulse.rounds.load(std::memory_order_relaxed);
  if (rounds != seen.rounds) seen = {rounds, now};
  return now - seen.since >= limit;
}

}  // namespace nfsteer
