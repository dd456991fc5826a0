// The health checks at work: the prober asks the servers in force, and what they answer
// is told to Steering.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "nfsteer/health.hpp"
#include "nfsteer/steering.hpp"

namespace nfsteer {

// The control thread's.
class Checks {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  // Probes carry the mark. `wake` is called by the prober's thread when there is something
  // for look() to tell.
  Checks(Steering& steering, std::uint32_t mark, std::function<void()> wake);

  // By the words for a target: whether it was up.
  using Last = std::map<std::string, bool>;
  // Those of earlier runs. Before the first follow().
  void remember(Last last) { last_ = std::move(last); }
  // From now on the servers of the configuration in force are asked. Fails where this
  // machine cannot ask at all.
  Result<void> follow(Instant now);
  void stop() { prober_.stop(); }

  // Tells what is known by now, and has those servers of lazy groups asked whose flows
  // fail. Returns whether a target went up or down.
  bool look(Instant now);
  // Whether each target that is asked was asked once, or had the time to be.
  bool have_answered(Instant now) const;
  // Adds what the checks of servers said.
  void describe(Statistics& counted) const;
  Last last() const { return last_; }

 private:
  // A server that is asked.
  struct Asked {
    std::string name;  // "web/web1"
    ServerId id = 0;
    CheckTarget target;
    bool lazy = false;
    // What Steering was told last.
    std::optional<bool> is_up = {};
    std::string reason = {};
    Instant passed = {};
  };

  void report(const HealthEvent& event);
  void tell_events();
  void ask();
  bool tell_state(Asked& asked, const TargetStatus& status, Instant now);
  void wake_up(const std::map<CheckTarget, TargetStatus>& statuses);

  Steering& steering_;
  const std::function<void()> wake_;
  std::mutex mutex_;
  std::vector<HealthEvent> events_;  // under mutex_: not yet told
  std::vector<Asked> asked_;
  Last last_;
  Instant answered_by_;
  bool is_running_ = false;
  Prober prober_;  // ends first: its thread uses the rest
};

}  // namespace nfsteer
