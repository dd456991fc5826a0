// The factories that balancers.def lists.
#pragma once

#include "nfsteer/balance.hpp"

namespace nfsteer {

#define BALANCER(name, make, summary) \
  std::unique_ptr<const Balancer> make(std::span<const Server> servers, Cursor& cursor);
#include "balancers.def"
#undef BALANCER

}  // namespace nfsteer
