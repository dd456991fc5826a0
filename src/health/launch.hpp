// The first steps of a new process, in the memory of its parent.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace nfsteer {

// What the child does. The parent makes it, and waits meanwhile: the child must not
// allocate, lock, or call what would.
struct Launch {
  struct User {
    uid_t user = 0;
    gid_t group = 0;
    std::size_t groups_count = 0;
    const gid_t* groups = nullptr;
  };

  const char* const* argv = nullptr;
  const char* const* environment = nullptr;
  int input = -1, output = -1;      // above the three that they become
  const User* user = nullptr;       // null: it stays who it is
  const char* user_map = nullptr;   // what /proc/self/uid_map, and gid_map, is to be,
  const char* group_map = nullptr;  // where it has a user namespace
  std::uint64_t processes_max = 0;
  bool is_pinned = false;  // to its process group

  // The child writes what could not be done, and why.
  const char* failed = nullptr;  // null: it is the program
  int error = 0;
};

// Of Launch::failed.
inline constexpr const char* kMapIds = "its user namespace";

// Becomes the program, or ends the process. `launch` is a Launch. For clone().
int run_launch(void* launch) noexcept;

}  // namespace nfsteer
