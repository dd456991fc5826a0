// Whether an engine's threads move. Lies in a page that the keeper shares with every
// engine; each thread counts its own rounds, the keeper looks whether they grow.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nfsteer/policy.hpp"

namespace nfsteer {

struct alignas(64) Pulse {
  std::atomic<std::uint64_t> rounds{0};

  void beat() noexcept { rounds.fetch_add(1, std::memory_order_relaxed); }
};

// The table that an engine has left in the kernel: the next one need not write what is
// there. A packet that is in a chain while its sets are replaced may find nothing in them.
struct InstalledTable {
  std::atomic<std::uint64_t> text_hash{0};   // of to_nft(); 0: unknown
  std::atomic<std::uint32_t> generation{0};  // as of which nobody else has changed it
  std::atomic<std::uint32_t> queue_form{0};
};

// What the keeper and its engines share, zeros at first.
struct SharedState {
  std::atomic<std::uint64_t> rules{0}, notes{0};  // of the vaults
  // When the rules of before come back, if nobody confirms those in force; in seconds of
  // CLOCK_MONOTONIC. 0: there is nothing to confirm.
  std::atomic<std::uint64_t> confirm_by_s{0};
  InstalledTable installed;
  Pulse control;
  Pulse workers[kQueuesMax];
};

// The keeper's side: which thread stands still.
class PulseWatch {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  // A worker goes round at least each time that it has waited for packets in vain; the
  // control thread has more to do at once.
  static constexpr std::chrono::seconds kWorkerLimit{5}, kControlLimit{15};

  // An engine of so many workers is ready.
  void begin(const SharedState& shared, std::size_t workers, Instant now);
  struct Stuck {
    std::string thread;  // "the worker of queue 1"
    std::chrono::seconds limit;
  };
  // The thread that has not moved for its limit, if there is one.
  std::optional<Stuck> look(const SharedState& shared, Instant now);

 private:
  struct Seen {
    std::uint64_t rounds = 0;
    Instant since;
  };
  static bool stands(Seen& seen, const Pulse& pulse, std::chrono::seconds limit, Instant now);

  Seen control_;
  std::vector<Seen> workers_;
};

}  // namespace nfsteer
