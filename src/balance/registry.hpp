// The factories that balancers.def lists.
#pragma once

#include "nfsteer/balance.hpp"

namespace nfsteer {

#define BALANCER(name, make, hashes, summary) \
  std::unique_ptr<const Balancer> make(const Roster& roster);
#include "balancers.def"
#undef BALANCER

}  // namespace nfsteer
