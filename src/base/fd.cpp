#include "nfsteer/base/fd.hpp"

#include <unistd.h>

namespace nfsteer {

void Fd::reset(int fd) noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

}  // namespace nfsteer
