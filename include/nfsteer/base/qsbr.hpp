// One immutable value at a time, shared by threads that never wait for it.
//
// Quiescent-state-based reclamation (Hart, McKenney, Demke Brown, Walpole:
// "Performance of memory reclamation for lockless synchronization", 2007), with
// the readers' sections made explicit: a reader enters, uses the value, leaves.
// To enter costs one store and two loads, whatever the writer does. A value that
// was replaced is freed by the writer's thread, once every reader has left the
// section in which it may have seen it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace nfsteer {

template <typename T>
class Qsbr {
 public:
  // A reader's seat: one thread's own. The Qsbr outlives it.
  class Reader {
   public:
    // The newest value; the reference holds until leave().
    const T& enter() noexcept {
      // Sequentially consistent: either the writer sees this section, or this
      // section sees the value that the writer published before it looked.
      seat_->store(source_->epoch_.load(), std::memory_order_seq_cst);
      return *source_->current_.load(std::memory_order_seq_cst);
    }
    void leave() noexcept { seat_->store(kOutside, std::memory_order_release); }

   private:
    friend class Qsbr;
    Reader(const Qsbr& source, std::atomic<std::uint64_t>& seat) : source_(&source), seat_(&seat) {}

    const Qsbr* source_;
    std::atomic<std::uint64_t>* seat_;
  };

  Qsbr(std::unique_ptr<const T> first, std::size_t readers)
      : owned_(std::move(first)), current_(owned_.get()), seats_(readers) {
    assert(owned_);
  }

  // The seat of one of the readers, from 0.
  Reader reader(std::size_t seat) noexcept { return Reader(*this, seats_[seat].epoch); }

  // What readers see from now on. Frees what it can, as reclaim(). Writer's thread.
  void publish(std::unique_ptr<const T> next) {
    assert(next);
    current_.store(next.get(), std::memory_order_seq_cst);
    const std::uint64_t left_behind = epoch_.fetch_add(1);
    retired_.push_back({left_behind, std::exchange(owned_, std::move(next))});
    reclaim();
  }

  // Frees the values that no reader can hold; returns how many are left.
  // Writer's thread.
  std::size_t reclaim() {
    std::uint64_t oldest = kOutside;
    for (const Seat& seat : seats_) oldest = std::min(oldest, seat.epoch.load());
    std::erase_if(retired_, [oldest](const Retired& each) { return each.epoch < oldest; });
    return retired_.size();
  }

  // The value that was published last. Writer's thread.
  const T& latest() const noexcept { return *owned_; }

 private:
  static constexpr std::uint64_t kOutside = ~std::uint64_t{0};

  // The epoch in which the reader entered, on a cache line of its own.
  struct alignas(64) Seat {
    std::atomic<std::uint64_t> epoch{kOutside};
  };
  // A value, and the last epoch in which a reader could come by it.
  struct Retired {
    std::uint64_t epoch;
    std::unique_ptr<const T> value;
  };

  std::unique_ptr<const T> owned_;
  std::atomic<const T*> current_;
  std::atomic<std::uint64_t> epoch_{1};
  std::vector<Seat> seats_;
  std::vector<Retired> retired_;
};

}  // namespace nfsteer
