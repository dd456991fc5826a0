// A status in the text format of Prometheus (version 0.0.4).
#pragma once

#include <string>

#include "nfsteer/engine.hpp"

namespace nfsteer {

inline constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

// Every family with HELP and TYPE. Times in seconds, sizes in bytes. No client's address
// is in it.
std::string metrics_text(const Status& status);

}  // namespace nfsteer
