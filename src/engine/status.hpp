// What became of the packets of each queue.
#pragma once

#include <memory>
#include <vector>

#include "nfsteer/engine.hpp"
#include "worker.hpp"

namespace nfsteer {

using Workers = std::vector<std::unique_ptr<Worker>>;

// The queues of the workers, as they and the kernel count. Control thread.
std::vector<QueueStatus> describe_queues(const Workers& workers);

// Takes what `baseline` had counted out of `queues`; both are of the same workers.
// An empty baseline takes nothing.
void subtract(std::vector<QueueStatus>& queues, const std::vector<QueueStatus>& baseline);

}  // namespace nfsteer
