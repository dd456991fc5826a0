// What `replay` and `plan` say to people.
#pragma once

#include <string>

#include "nfsteer/replay.hpp"

namespace nfsteer {

// One line, with its end: when the flow began, the flow, where it goes, by which rule.
std::string flow_line(const FlowEvent& event, const NamedDecision& decision);
std::string move_line(const FlowEvent& event, const NamedDecision& from, const NamedDecision& to);

// What was in the capture.
std::string capture_text(const CaptureCounts& counts);
// Where its flows went.
std::string report_text(const ReplayReport& report);

// The files of a comparison.
struct FileNames {
  std::string before, after;
};
std::string comparison_text(const Comparison& comparison, const FileNames& files);

}  // namespace nfsteer
