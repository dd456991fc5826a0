// From a packet to its answer: parse, memo, decide, count.
#pragma once

#include "counters.hpp"
#include "nfsteer/netlink.hpp"
#include "nfsteer/policy.hpp"

namespace nfsteer {

// The part of a worker between receipt and verdict. One thread's own, but for
// tallies(), which any thread may read. Does not allocate, lock or log.
class Steersman {
 public:
  explicit Steersman(const Snapshot& snapshot) : snapshot_(snapshot), tallies_(snapshot) {}

  // `now_s` is a clock in seconds that never goes back; the memo's life.
  netlink::Answer answer(const netlink::QueuedPacket& packet, std::uint32_t now_s) noexcept;

  void forget_all() noexcept { memo_.forget_all(); }

  // The account so far, without the queue's own errors.
  QueueAccount account() const noexcept;
  const Tallies& tallies() const noexcept { return tallies_; }

 private:
  Decision decide_once(const Flow& flow, std::uint32_t now_s) noexcept;
  void count(const Decision& decision, std::uint32_t bytes) noexcept;

  const Snapshot& snapshot_;
  Memo memo_;
  QueueAccount account_;
  Tallies tallies_;
};

// The verdict and mark that carry a decision out on a packet that had `mark`.
netlink::Answer answer_of(const MarkLayout& layout, const Decision& decision,
                          std::uint32_t mark) noexcept;

}  // namespace nfsteer
