// What the socket of conntrack's events loses when its buffer overflows, and when
// that is made good.
#pragma once

#include <cstdint>

namespace nfsteer {

class Losses {
 public:
  // After each read: how often the buffer has overflown so far, and whether there
  // was nothing to be read. True: something was lost up to now. The kernel tells an
  // overflow once, then drops all until the buffer is empty; full again, it goes on.
  bool take(std::uint64_t overruns, bool was_empty) noexcept {
    const bool has_overflown = overruns != overruns_;
    overruns_ = overruns;
    needs_listing_ |= has_overflown;
    is_losing_ |= has_overflown;
    const bool was_losing = is_losing_;
    if (was_empty) is_losing_ = false;
    return was_losing;
  }

  // There are losses that no listing has made good.
  bool needs_listing() const noexcept { return needs_listing_; }

  void begin_listing() noexcept {
    at_begin_ = overruns_;
    was_losing_ = is_losing_;
  }
  // The listing is whole. It has what was lost before it, not what was lost beside it.
  void end_listing() noexcept {
    if (overruns_ == at_begin_ && !was_losing_) needs_listing_ = false;
  }

 private:
  std::uint64_t overruns_ = 0, at_begin_ = 0;
  bool is_losing_ = false, was_losing_ = false;
  bool needs_listing_ = false;
};

}  // namespace nfsteer
