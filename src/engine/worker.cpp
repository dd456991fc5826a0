#include "worker.hpp"

#include <pthread.h>
#include <sched.h>

#include <ctime>
#include <utility>

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

// Pins the calling thread to the CPU that is the queue's in turn, among those
// that the process may use. Where every CPU would get a worker the scheduler
// places them better: a pinned one would share its CPU with the interrupts that
// fill its queue, beside an idle other.
void pin_to_cpu_of(std::uint16_t queue, int workers) noexcept {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  if (workers >= CPU_COUNT(&allowed)) return;
  int turn = queue % CPU_COUNT(&allowed);
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || turn-- > 0) continue;
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(cpu, &own);
    ::pthread_setaffinity_np(::pthread_self(), sizeof own, &own);
    return;
  }
}

}  // namespace

std::uint32_t seconds() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::uint32_t>(now.tv_sec);
}

void Worker::start(netlink::Answer abandoned) {
  queue_.answer_abandoned(abandoned);
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), format("queue {}", number_).c_str());
}

void Worker::run() noexcept {
  pin_to_cpu_of(number_, workers_);
  bool inside = false;  // a batch
  const auto answer = [&](const netlink::QueuedPacket& packet) noexcept {
    if (!inside) steersman_.enter();
    inside = true;
    return steersman_.answer(packet, seconds());
  };
  while (!orders_.stop.load(std::memory_order_relaxed)) {
    pulse_.beat();
    queue_.serve(answer);
    if (std::exchange(inside, false)) steersman_.leave();
    QueueAccount account = steersman_.account();
    account.queue_errors = queue_.errors();
    published_.publish(account);
  }
}

}  // namespace nfsteer
