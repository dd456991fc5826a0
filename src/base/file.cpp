#include "nfsteer/base/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "nfsteer/base/fd.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

tl::unexpected<Error> cannot(std::string_view what) {
  return fail(format("cannot {} the file: {}", what, std::strerror(errno)));
}

}  // namespace

Result<void> check_size(std::size_t bytes, std::size_t bytes_max) {
  if (bytes > bytes_max) return fail(format("the file is over {} MiB", bytes_max >> 20));
  return {};
}

Result<std::string> read_all(int fd, std::size_t bytes_max) {
  constexpr std::size_t kChunkBytes = 1u << 16;
  std::string text;
  for (;;) {
    const std::size_t size = text.size();
    text.resize(size + kChunkBytes);
    const ssize_t count = read(fd, text.data() + size, kChunkBytes);
    text.resize(size + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count == 0) return text;
    if (count < 0 && errno != EINTR) return cannot("read");
    if (auto size_ok = check_size(text.size(), bytes_max); !size_ok)
      return tl::unexpected(std::move(size_ok.error()));
  }
}

Result<std::string> read_regular_file(const std::string& path, std::size_t bytes_max) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return cannot("open");
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return cannot("read");
  if (!S_ISREG(status.st_mode)) return fail("the file is not a regular one");
  return read_all(file.get(), bytes_max);
}

}  // namespace nfsteer
