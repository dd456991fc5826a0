// A counter that one thread writes and any thread reads.
#pragma once

#include <atomic>
#include <cstdint>

namespace nfsteer {

class Tally {
 public:
  // The writer's thread.
  void add(std::uint64_t n) noexcept { set(read() + n); }
  void set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
  // Any thread.
  std::uint64_t read() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace nfsteer
