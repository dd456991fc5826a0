#include "progress.hpp"

#include <unistd.h>

#include <cstdio>
#include <string>

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

// "[=====>              ] 27 %".
std::string bar(double share) {
  constexpr std::size_t kWidth = 40;
  const auto done = static_cast<std::size_t>(share * kWidth);
  return format("[{}{}] {:.0f} %  ", std::string(done, '='), std::string(kWidth - done, ' '),
                100 * share);
}

}  // namespace

ProgressLine::ProgressLine() : is_terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
  clear();
}

void ProgressLine::show(std::uint64_t packets, std::optional<double> share) {
  if (!is_terminal_) return;
  const std::string text = format("\r{}{} packets", share ? bar(*share) : "", packets);
  std::fputs(text.c_str(), stderr);
  is_shown_ = true;
}

void ProgressLine::clear() {
  constexpr std::size_t kColumns = 79;
  if (!is_shown_) return;
  std::fputs(format("\r{}\r", std::string(kColumns, ' ')).c_str(), stderr);
  is_shown_ = false;
}

}  // namespace nfsteer
