#include "field.hpp"

namespace nfsteer {

const Field k_saddr{
    .name = "saddr",
    .expects = "a prefix such as \"10.0.0.0/8\", or a set such as \"@office\"",
    .parse = parse_prefix_value,
    .address = [](const Subject& subject) noexcept { return &subject.flow.tuple.source; },
    .takes_sets = true,
};

}  // namespace nfsteer
