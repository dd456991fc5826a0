#include "field.hpp"

namespace nfsteer {

const Field k_sport{
    .name = "sport",
    .expects = "a port or a range such as \"8000-8100\"",
    .parse = parse_ports,
    .number = [](const Subject& subject) noexcept -> FieldNumber {
      if (!subject.flow.has_ports) return std::nullopt;
      return subject.flow.tuple.source_port;
    },
};

}  // namespace nfsteer
