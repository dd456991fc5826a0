// From a packet to its answer: parse, decide, count what became of it.
#pragma once

#include "counters.hpp"
#include "nfsteer/netlink.hpp"
#include "nfsteer/steering.hpp"

namespace nfsteer {

// The part of a worker between receipt and verdict. One thread's own. Between
// enter() and leave() it does not allocate, lock or log.
class Steersman {
 public:
  // The decider outlives it.
  explicit Steersman(Decider& decider) : decider_(decider) {}

  // Brackets a batch of packets, which are decided by one configuration.
  void enter() noexcept { world_ = &decider_.enter(); }
  void leave() noexcept { decider_.leave(); }

  // `now_s` is a clock in seconds that never goes back. REQUIRES: between
  // enter() and leave()
  netlink::Answer answer(const netlink::QueuedPacket& packet, std::uint32_t now_s) noexcept;

  // The account so far, without the queue's own errors.
  const QueueAccount& account() const noexcept { return account_; }

 private:
  void add_interfaces(const netlink::QueuedPacket& packet, Flow& flow) const noexcept;

  Decider& decider_;
  const World* world_ = nullptr;
  QueueAccount account_;
};

// The verdict and mark that carry a decision out on a packet that had `mark`.
netlink::Answer answer_of(const MarkLayout& layout, const Decision& decision,
                          std::uint32_t mark) noexcept;

}  // namespace nfsteer
