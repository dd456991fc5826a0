#include "field.hpp"

namespace nfsteer {

const Field k_dport{
    .name = "dport",
    .expects = "a port or a range such as \"8000-8100\"",
    .number = [](const Flow& flow) noexcept -> std::optional<std::uint32_t> {
      if (!flow.has_ports) return std::nullopt;
      return flow.tuple.destination_port;
    },
    .parse_interval = parse_port_interval,
};

}  // namespace nfsteer
