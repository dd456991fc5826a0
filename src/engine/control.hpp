// What the control socket may ask of the engine.
#pragma once

#include <optional>
#include <string>

#include "nfsteer/base/result.hpp"
#include "nfsteer/engine.hpp"

namespace nfsteer {

// Implemented by the engine. Every call is made on the control thread.
class Control {
 public:
  virtual ~Control() = default;

  virtual Status status() = 0;
  // The error says what is wrong with the question.
  virtual Result<Explanation> explain(const FlowQuestion& question) = 0;
  virtual void flush_cache() = 0;
  virtual void flush_stats() = 0;
  virtual Result<FlushedFlows> flush_flows(const std::optional<std::string>& group,
                                           const std::optional<std::string>& server) = 0;
  virtual Result<AffinityList> affinity(const AffinityQuestion& question) = 0;
  virtual Result<std::uint64_t> flush_affinity(const AffinityQuestion& question) = 0;
  virtual Result<StaleFlows> flush_stale(bool dry_run) = 0;
};

}  // namespace nfsteer
