#include "field.hpp"

namespace nfsteer {

const Field k_saddr{
    .name = "saddr",
    .expects = "a prefix such as \"10.0.0.0/8\"",
    .address = [](const Flow& flow) noexcept -> const Address& { return flow.tuple.source; },
};

}  // namespace nfsteer
