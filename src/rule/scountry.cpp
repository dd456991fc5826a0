#include "field.hpp"

namespace nfsteer {

const Field k_scountry{
    .name = "scountry",
    .expects = "a country such as \"DE\", \"EU\", \"continent:EU\", \"--\" for none, or a group",
    .parse = parse_country,
    .number = [](const Subject& subject) noexcept -> FieldNumber { return subject.source_country; },
    .takes_countries = true,
};

}  // namespace nfsteer
