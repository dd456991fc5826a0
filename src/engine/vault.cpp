#include "vault.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

tl::unexpected<Error> broken() {
  return fail(format("the stored configuration cannot be read: {}", std::strerror(errno)));
}

// Texts, each behind its length.
class Writer {
 public:
  explicit Writer(int file) : file_(file) {}

  bool text(std::string_view text) {
    const std::uint64_t bytes = text.size();
    return all({reinterpret_cast<const char*>(&bytes), sizeof bytes}) && all(text);
  }

 private:
  bool all(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::pwrite(file_, bytes.data(), bytes.size(), at_);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      at_ += written;
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  }

  int file_;
  off_t at_ = 0;
};

class Reader {
 public:
  Reader(int file, std::uint64_t left) : file_(file), left_(left) {}

  bool ended() const noexcept { return left_ == 0; }
  bool text(std::string& text) {
    std::uint64_t bytes = 0;
    if (!all(reinterpret_cast<char*>(&bytes), sizeof bytes) || bytes > left_) return false;
    text.resize(bytes);
    return all(text.data(), bytes);
  }

 private:
  bool all(char* bytes, std::uint64_t count) {
    if (count > left_) return false;
    while (count > 0) {
      const ssize_t got = ::pread(file_, bytes, count, at_);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      at_ += got;
      bytes += got;
      left_ -= static_cast<std::uint64_t>(got);
      count -= static_cast<std::uint64_t>(got);
    }
    return true;
  }

  int file_;
  std::uint64_t left_;
  off_t at_ = 0;
};

}  // namespace

Result<Vault> Vault::make(std::atomic<std::uint64_t>& current) {
  Vault vault(current);
  for (Fd& file : vault.files_) {
    file.reset(::memfd_create("nfsteer-configuration", MFD_CLOEXEC));
    if (!file)
      return fail(format("no memory for the configuration's files: {}", std::strerror(errno)));
  }
  return vault;
}

Result<void> Vault::stage(const Sources& sources) const {
  const int file = files_[(number() + 1) % 2].get();
  Writer writer(file);
  bool written = ::ftruncate(file, 0) == 0 && writer.text(sources.path);
  for (const auto& [path, content] : sources.contents)
    written = written && writer.text(path) && writer.text(content);
  if (written) return {};
  return fail(format("no memory to keep the configuration's files: {}", std::strerror(errno)));
}

Result<Sources> Vault::read(std::uint64_t number) const {
  const int file = files_[number % 2].get();
  struct stat status {};
  if (::fstat(file, &status) != 0) return broken();
  Reader reader(file, static_cast<std::uint64_t>(status.st_size));
  Sources sources;
  if (!reader.text(sources.path)) return broken();
  while (!reader.ended()) {
    std::string path, content;
    if (!reader.text(path) || !reader.text(content)) return broken();
    sources.contents.emplace(std::move(path), std::move(content));
  }
  return sources;
}

}  // namespace nfsteer
