#include "files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "nfsteer/base/fd.hpp"
#include "nfsteer/base/file.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {

Result<std::string> Files::read_rules(const std::string& path) {
  if (sources_) return find(path);
  if (path == "-") return keep(path, read_all(STDIN_FILENO, kRulesFileBytesMax));
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail(format("cannot open the file: {}", std::strerror(errno)));
  return keep(path, read_all(file.get(), kRulesFileBytesMax));
}

Result<std::string> Files::read(const std::string& path, std::size_t bytes_max) {
  return sources_ ? find(path) : keep(path, read_regular_file(path, bytes_max));
}

Result<std::string> Files::keep(const std::string& path, Result<std::string> text) {
  if (kept_ && text) kept_->contents[path] = *text;
  return text;
}

Result<std::string> Files::find(const std::string& path) const {
  const auto found = sources_->contents.find(path);
  if (found == sources_->contents.end()) return fail("the file was not there");
  return found->second;
}

}  // namespace nfsteer
