// What the control socket may ask of the engine.
#pragma once

#include <chrono>
#include <functional>
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

  // What takes time calls `done` once, on the control thread.
  using ReloadDone = std::function<void(tl::expected<Reload, ReloadError>)>;
  // Reads the rules file again and puts it in force; with `confirm` for so long, if it
  // is not confirmed meanwhile.
  virtual void reload(std::optional<std::chrono::seconds> confirm, ReloadDone done) = 0;
  // Goes back to what was in force before a reload that waits to be confirmed.
  virtual void undo(ReloadDone done) = 0;
  virtual Result<void> confirm() = 0;
  // What a reload of that file would change; changes nothing.
  virtual void diff(const std::string& path, ReloadDone done) = 0;

  // What people set of servers, "group/server", and groups.
  virtual Result<Setting> set_state(const std::string& server, ServerState state) = 0;
  virtual Result<Setting> set_weight(const std::string& server, const WeightOverride& weight) = 0;
  virtual Result<Setting> set_algorithm(const std::string& group, const std::string& algorithm) = 0;
};

}  // namespace nfsteer
