// Short ways to write configurations and flows in tests.
#pragma once

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>

#include "nfsteer/policy.hpp"

namespace nfsteer::testing {

inline ServerConfig server(const std::string& name, const std::string& address,
                           std::optional<std::uint16_t> port = {}, std::uint32_t weight = 1) {
  return {name, *parse_address(address), port, weight};
}

inline RouteConfig route(const std::string& prefix, const std::string& group,
                         std::uint32_t metric = 0) {
  return {*parse_prefix(prefix), group, metric};
}

inline Criterion criterion(const std::string& field, std::initializer_list<const char*> values) {
  Criterion made{find_field(field), {}, {}};
  for (const char* value : values)
    if (!made.add(value)) throw std::invalid_argument(value);
  return made;
}

inline Flow flow(const std::string& protocol, const std::string& source, unsigned sport,
                 const std::string& destination, unsigned dport) {
  Flow made;
  made.tuple = {*parse_address(source), *parse_address(destination),
                static_cast<std::uint16_t>(sport), static_cast<std::uint16_t>(dport),
                *parse_protocol(protocol)};
  made.has_ports = true;
  return made;
}

}  // namespace nfsteer::testing
