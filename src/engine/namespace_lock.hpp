// One nfsteer a network namespace.
#pragma once

#include "nfsteer/base/fd.hpp"
#include "nfsteer/base/result.hpp"

namespace nfsteer {

// Takes the lock of this network namespace until the descriptor is closed, also
// by the process's end. The error names the process that has it.
Result<Fd> lock_namespace();

}  // namespace nfsteer
