// Durations in the notation of rules files: "300s", "200ms".
#pragma once

#include <chrono>
#include <optional>

#include "node.hpp"
#include "report.hpp"

namespace nfsteer {

// First to last, both included.
struct SecondsRange {
  std::chrono::seconds first;
  std::chrono::seconds last;
};

// A number with one of the units ms, s, m, h and d.
std::optional<std::chrono::milliseconds> read_milliseconds(const Node& node, Report& report);
// The same, and it is whole seconds.
std::optional<std::chrono::seconds> read_seconds(const Node& node, SecondsRange range,
                                                 Report& report);

}  // namespace nfsteer
