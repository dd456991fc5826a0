// Counts the process's allocations: tests/allocations.cpp replaces operator new.
#pragma once

#include <cstdint>

namespace nfsteer::testing {

// Calls of operator new by this thread since it began.
std::uint64_t allocations();

}  // namespace nfsteer::testing
