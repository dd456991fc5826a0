// A file without a disk. It is there until the end of the scope.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "nfsteer/base/fd.hpp"

namespace nfsteer::testing {

class MemoryFile {
 public:
  explicit MemoryFile(std::string_view content = {})
      : fd_(::memfd_create("nfsteer-test", MFD_CLOEXEC)),
        path_("/proc/self/fd/" + std::to_string(fd_.get())) {
    write(content);
  }

  // Replaces what is in it. False where that fails.
  bool write(std::string_view content) const {
    return resize(0) && ::pwrite(fd_.get(), content.data(), content.size(), 0) ==
                            static_cast<ssize_t>(content.size());
  }
  bool resize(std::size_t bytes) const {
    return ::ftruncate(fd_.get(), static_cast<off_t>(bytes)) == 0;
  }
  const std::string& path() const noexcept { return path_; }

 private:
  Fd fd_;
  std::string path_;
};

}  // namespace nfsteer::testing
