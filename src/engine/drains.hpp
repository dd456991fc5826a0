// Servers that are drained, and when their time is over.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "nfsteer/steering.hpp"

namespace nfsteer {

// The control thread's.
class Drains {
 public:
  // Since when each server is drained follows from the overrides, or for one that the
  // configuration drains from when it was first seen so. Returns those whose time is over
  // and of which that was not told before.
  std::vector<const Server*> expired(const Steering& steering, Time now);

 private:
  struct Drain {
    Time since;
    bool is_told = false;
  };
  std::map<std::uint64_t, Drain> drains_;  // by identity
};

}  // namespace nfsteer
