// Routing tables: longest prefix of the destination, then lowest metric.
#pragma once

#include <cstdint>
#include <memory>
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

// A routing table. Constant after construction; not to be used once moved from.
class Table {
 public:
  Table(std::string name, std::int32_t priority, std::vector<Route> routes);
  Table(Table&& other) noexcept;
  Table& operator=(Table&& other) noexcept;
  ~Table();

  const std::string& name() const noexcept { return name_; }
  std::int32_t priority() const noexcept { return priority_; }
  // Sorted by prefix (outer ones before those they contain), then by metric,
  // then as given.
  std::span<const Route> routes() const noexcept { return routes_; }

  // The first route for the destination, best first, that `usable` takes, or
  // nullptr. `usable` is asked of each route in turn: longest prefix first,
  // among equals lowest metric first. Does not allocate. The time does not
  // depend on how many routes there are, only on how many `usable` refuses.
  template <typename Usable>
  const Route* lookup(const Address& destination, Usable usable) const noexcept {
    for (std::uint32_t at = best(destination); at != kNone; at = next_best_[at])
      if (usable(routes_[at])) return &routes_[at];
    return nullptr;
  }

 private:
  // From a destination to the first route of its longest prefix.
  struct Index;
  // No route; there are fewer.
  static constexpr std::uint32_t kNone = 0x7fff'ffff;

  std::uint32_t best(const Address& destination) const noexcept;

  std::string name_;
  std::int32_t priority_;
  std::vector<Route> routes_;
  // By route, the one to ask where it is not usable: the next of its prefix, or
  // the first of the longest prefix that contains it. Indexes in routes_.
  std::vector<std::uint32_t> next_best_;
  std::unique_ptr<const Index> index_;
};

}  // namespace nfsteer
