#include "nfsteer/feedback.hpp"

namespace nfsteer {

void Conduct::answer() noexcept {
  silent_ = 0;
  push(false);
}

void Conduct::fail() noexcept {
  ++silent_;
  push(true);
}

void Conduct::reset() noexcept {
  ++resets_;
  push(true);
}

void Conduct::push(bool is_failure) noexcept {
  if (seen_ < kWindow)
    ++seen_;
  else if (window_[next_])
    --failed_;
  window_[next_] = is_failure;
  if (is_failure) ++failed_;
  next_ = (next_ + 1) % kWindow;
}

}  // namespace nfsteer
