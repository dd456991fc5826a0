// Clients with affinity as JSON.
#pragma once

#include "nfsteer/engine.hpp"
#include "protocol.hpp"

namespace nfsteer {

OrderedJson affinity_to_json(const AffinityList& list);
Result<AffinityList> affinity_from_json(const OrderedJson& json);

}  // namespace nfsteer
