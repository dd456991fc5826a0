// Whole files as text.
#pragma once

#include <cstddef>
#include <string>

#include "nfsteer/base/result.hpp"

namespace nfsteer {

// The errors say what is wrong with "the file", and not which one it is.

// Whether a file is small enough.
Result<void> check_size(std::size_t bytes, std::size_t bytes_max);

// All that can be read from the descriptor, which stays open.
Result<std::string> read_all(int fd, std::size_t bytes_max);

// The contents of a regular file. One of another kind is refused, and not waited
// for: a fifo that nobody writes to, a device that has no end.
Result<std::string> read_regular_file(const std::string& path, std::size_t bytes_max);

}  // namespace nfsteer
