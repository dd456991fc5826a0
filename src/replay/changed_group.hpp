// What of a group says how its flows are shared out.
#pragma once

#include <string>
#include <vector>

#include "nfsteer/balance.hpp"

namespace nfsteer {

// How two definitions of a group differ in it, one sentence each: "web3 is new".
std::vector<std::string> changes_between(const Group& before, const Group& after);

}  // namespace nfsteer
