// How far a command is, for a person who waits at a terminal.
#pragma once

#include <cstdint>
#include <optional>

namespace nfsteer {

// A line on stderr that is written over and is gone in the end; nothing where stderr is
// no terminal.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // So many packets were read, and this share of the file, 0 to 1.
  void show(std::uint64_t packets, std::optional<double> share);
  void clear();

 private:
  const bool is_terminal_;
  bool is_shown_ = false;
};

}  // namespace nfsteer
