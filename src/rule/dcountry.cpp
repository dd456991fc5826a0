#include "field.hpp"

namespace nfsteer {

const Field k_dcountry{
    .name = "dcountry",
    .expects = "a country such as \"DE\", \"EU\", \"continent:EU\", \"--\" for none, or a group",
    .parse = parse_country,
    .number = [](const Subject& subject) noexcept -> FieldNumber {
      return subject.destination_country;
    },
    .takes_countries = true,
};

}  // namespace nfsteer
