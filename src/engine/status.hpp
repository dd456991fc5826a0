// The sums of all workers' counts, under the names of the configuration.
#pragma once

#include <memory>
#include <vector>

#include "nfsteer/engine.hpp"
#include "worker.hpp"

namespace nfsteer {

// The status of the snapshot and its workers; pid, uptime and state are the
// caller's. Control thread.
Status describe(const Snapshot& snapshot, const std::vector<std::unique_ptr<Worker>>& workers);

// Takes what `baseline` had counted out of `status`. Both are of one snapshot;
// an empty baseline takes nothing.
void subtract(Status& status, const Status& baseline);

}  // namespace nfsteer
