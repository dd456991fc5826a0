// One queue's thread.
#pragma once

#include <atomic>
#include <thread>

#include "counters.hpp"
#include "nfsteer/netlink.hpp"
#include "steersman.hpp"

namespace nfsteer {

// What the control thread tells all workers.
struct Orders {
  std::atomic<bool> stop{false};
  std::atomic<std::uint32_t> forget{0};  // each addition empties every memo, at once
};

// Serves one queue in a thread of its own. The snapshot, the
// orders and the socket outlive it.
class Worker {
 public:
  Worker(const Snapshot& snapshot, const Orders& orders, int socket, std::uint16_t queue,
         std::atomic<std::uint32_t>& answered)
      : orders_(orders),
        number_(queue),
        workers_(snapshot.engine.queue_count),
        queue_(socket, queue, snapshot.engine.copy_bytes, answered),
        steersman_(snapshot) {}

  // Answers what an earlier engine left unanswered, then starts the thread.
  void start(netlink::Answer abandoned);
  // Waits for the thread's end, after Orders::stop.
  void join() { thread_.join(); }

  std::uint16_t number() const noexcept { return number_; }
  QueueAccount account() const noexcept { return published_.read(); }
  const Tallies& tallies() const noexcept { return steersman_.tallies(); }

 private:
  void run() noexcept;

  const Orders& orders_;
  const std::uint16_t number_;
  const int workers_;
  netlink::Queue queue_;
  Steersman steersman_;
  Published<QueueAccount> published_;
  std::thread thread_;
};

}  // namespace nfsteer
