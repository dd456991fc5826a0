// One queue's thread.
#pragma once

#include <atomic>
#include <thread>

#include "counters.hpp"
#include "nfsteer/netlink.hpp"
#include "pulse.hpp"
#include "steersman.hpp"

namespace nfsteer {

// What the control thread tells all workers.
struct Orders {
  std::atomic<bool> stop{false};
};

// A clock in seconds that never goes back, read without a system call (vDSO).
std::uint32_t seconds() noexcept;

// Serves one queue in a thread of its own. The decider, the orders, the socket and the
// pulse outlive it.
class Worker {
 public:
  Worker(Decider& decider, const EngineConfig& engine, const Orders& orders, int socket,
         std::uint16_t queue, std::atomic<std::uint32_t>& answered, Pulse& pulse)
      : orders_(orders),
        pulse_(pulse),
        number_(queue),
        workers_(engine.queue_count),
        queue_(socket, queue, engine.copy_bytes, answered),
        steersman_(decider) {}

  // Answers what an earlier engine left unanswered, then starts the thread.
  void start(netlink::Answer abandoned);
  // Waits for the end of the thread, where it was started, after Orders::stop.
  void join() {
    if (thread_.joinable()) thread_.join();
  }

  std::uint16_t number() const noexcept { return number_; }
  QueueAccount account() const noexcept { return published_.read(); }

 private:
  void run() noexcept;

  const Orders& orders_;
  Pulse& pulse_;
  const std::uint16_t number_;
  const int workers_;
  netlink::Queue queue_;
  Steersman steersman_;
  Published<QueueAccount> published_;
  std::thread thread_;
};

}  // namespace nfsteer
