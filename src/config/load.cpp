#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "diagnostic.hpp"
#include "nfsteer/base/fd.hpp"
#include "nfsteer/base/result.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/config.hpp"
#include "problems.hpp"
#include "report.hpp"
#include "sections.hpp"
#include "syntax.hpp"

namespace nfsteer {
namespace {

Diagnostic whole_file(const std::string& file, std::string message) {
  Diagnostic diagnostic;
  diagnostic.file = file;
  diagnostic.message = std::move(message);
  return diagnostic;
}

// The first mistakes in the order of the file; the last says how many more.
std::vector<Diagnostic> to_diagnostics(std::vector<Mistake> mistakes, std::string_view text,
                                       const std::string& file) {
  std::stable_sort(mistakes.begin(), mistakes.end(),
                   [](const Mistake& a, const Mistake& b) { return is_before(a.place, b.place); });
  std::vector<Diagnostic> result;
  const std::size_t shown = std::min(mistakes.size(), kDiagnosticsMax);
  for (std::size_t i = 0; i < shown; ++i)
    result.push_back(make_diagnostic(mistakes[i], text, file));
  if (const std::size_t more = mistakes.size() - shown; more > 0)
    result.push_back(whole_file(file, format("and {} more", more)));
  return result;
}

std::string too_large() {
  return format("the file is over {} MiB", kRulesFileBytesMax >> 20);
}

Error system_error(std::string_view what) {
  return {format("{}: {}", what, std::strerror(errno))};
}

Result<std::string> read_all(int fd) {
  constexpr std::size_t kChunkBytes = 1u << 16;
  std::string text;
  for (;;) {
    const std::size_t size = text.size();
    text.resize(size + kChunkBytes);
    const ssize_t count = read(fd, text.data() + size, kChunkBytes);
    text.resize(size + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count == 0) return text;
    if (count < 0 && errno != EINTR) return tl::unexpected(system_error("cannot read the file"));
    if (text.size() > kRulesFileBytesMax) return fail(too_large());
  }
}

Result<std::string> read_file(const std::string& path) {
  if (path == "-") return read_all(STDIN_FILENO);
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return tl::unexpected(system_error("cannot open the file"));
  return read_all(file.get());
}

}  // namespace

LoadResult load_config(const std::string& path) {
  const std::string name = path == "-" ? "stdin" : path;
  const Result<std::string> text = read_file(path);
  if (!text) return std::vector{whole_file(name, text.error().message)};
  return parse_config(*text, name);
}

LoadResult parse_config(std::string_view text, const std::string& file) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.size() > kRulesFileBytesMax) return std::vector{whole_file(file, too_large())};
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());

  Syntax syntax = read_syntax(text);
  std::vector<Mistake> mistakes = std::move(syntax.mistakes);
  if (!syntax.root) return to_diagnostics(std::move(mistakes), text, file);

  const bool complete = mistakes.empty();
  Report report(complete);
  Config config = read_config(*syntax.root, report);
  mistakes.insert(mistakes.end(), report.mistakes().begin(), report.mistakes().end());
  if (complete) {
    const auto problems = locate(validate(config), *syntax.root, report);
    mistakes.insert(mistakes.end(), problems.begin(), problems.end());
  }
  if (!mistakes.empty()) return to_diagnostics(std::move(mistakes), text, file);
  return config;
}

}  // namespace nfsteer
