// Our table in the kernel, and that it stays as it should be.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "nfsteer/netlink.hpp"
#include "nfsteer/steering.hpp"
#include "pulse.hpp"

namespace nfsteer {

// Installs the table of a World, keeps its fallback up to date, and repairs what others
// do to it. The control thread's.
class RulesetGuard {
 public:
  using Clock = std::chrono::steady_clock;

  // `installed`: what the engine before has left in the kernel.
  explicit RulesetGuard(InstalledTable& installed);

  // Makes the kernel's table that of the world, in one transaction, and reads back which
  // servers it has. Where that fails all stays as it was. A table that is there already,
  // as an engine before has made it, is not touched.
  Result<void> install(const World& world);
  // The same, and servers of the table before stay in it: packets may come that were
  // decided before. install() takes them out.
  Result<void> install_beside(const World& world);
  // The fallback follows who takes flows: at most one transaction.
  void follow(const World& world);

  // Readable when somebody has changed a table; -1: that cannot be seen.
  int fd() const noexcept { return monitor_ ? monitor_->fd() : -1; }
  // To be called then: repairs our table, if it was that. What is changed again and again
  // is repaired once in kRepairInterval, by tick().
  void look();
  void tick();

  std::uint64_t repairs() const noexcept { return repairs_; }
  std::uint64_t updates() const noexcept { return updates_; }

  static constexpr std::chrono::milliseconds kRepairInterval{500};

 private:
  Result<void> install(const World& world, netlink::Ruleset next);
  Result<void> write(netlink::Ruleset next);
  Result<void> make(const netlink::Ruleset& ruleset);
  bool is_there(const netlink::Ruleset& ruleset) const;
  void remember();
  void forget() noexcept { installed_.text_hash = 0; }
  void note_generation();
  void repair();

  InstalledTable& installed_;
  std::optional<netlink::RulesetMonitor> monitor_;
  std::shared_ptr<const Snapshot> snapshot_;            // that the table is of
  std::unique_ptr<netlink::FallbackPlan> plan_;         // of that snapshot
  std::vector<std::shared_ptr<const Lineup>> lineups_;  // that the fallback is of
  netlink::Ruleset ruleset_;                            // as it is in the kernel
  netlink::QueueForm form_ = netlink::QueueForm::Native;
  bool is_stale_ = false;  // a part of the fallback could not be sent
  std::optional<netlink::RulesetMonitor::Change> change_;  // that is to be repaired
  std::string complaint_;  // why the last repair failed; empty: it did not
  Clock::time_point repaired_;
  std::uint64_t repairs_ = 0, updates_ = 0;
};

}  // namespace nfsteer
