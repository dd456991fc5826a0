// Routing tables: longest prefix of the destination, then lowest metric.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "nfsteer/base/address.hpp"

namespace nfsteer {

// One route as the compiled snapshot holds it.
struct Route {
  Prefix prefix;
  std::uint32_t group = 0;  // index in Snapshot::groups
  std::uint32_t metric = 0;
};

// A routing table. Constant after construction.
class Table {
 public:
  Table() = default;
  Table(std::string name, std::int32_t priority, std::vector<Route> routes);

  const std::string& name() const noexcept { return name_; }
  std::int32_t priority() const noexcept { return priority_; }
  // Sorted by descending length of the prefix, then by metric, then as given.
  std::span<const Route> routes() const noexcept { return routes_; }

  // The first route for the destination, best first, that `usable` takes, or
  // nullptr. `usable` is asked of each route in turn: longest prefix first,
  // among equals lowest metric first. Does not allocate.
  template <typename Usable>
  const Route* lookup(const Address& destination, Usable usable) const noexcept {
    for (const Route& route : routes_)
      if (route.prefix.contains(destination) && usable(route)) return &route;
    return nullptr;
  }

 private:
  std::string name_;
  std::int32_t priority_ = 0;
  std::vector<Route> routes_;
};

}  // namespace nfsteer
