// What the kernel does with a flow.
#pragma once

#include <string>

#include "nfsteer/policy.hpp"

namespace nfsteer {

// "10.2.0.1:8080"; the address alone where the flow has no ports.
std::string endpoint_text(const Server& server, const Flow& flow);

// "ct mark 0x00100000/0xfff00000, dnat to 10.2.0.1:8080, masquerade"; or why the
// flow does not come to the engine.
std::string kernel_text(const Snapshot& snapshot, const Flow& flow, const Decision& decision);

}  // namespace nfsteer
