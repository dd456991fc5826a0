// Routing tables: longest prefix of the destination, then lowest metric, then a
// share by weight.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nfsteer/base/action.hpp"
#include "nfsteer/base/address.hpp"

namespace nfsteer {

// One route as the compiled snapshot holds it.
struct Route {
  Prefix prefix;
  std::uint32_t group = 0;  // index in Snapshot::groups; with Action::Steer
  Action action = Action::Steer;
  bool shares = false;       // its flows with others of its prefix and metric; set by Table
  std::uint16_t weight = 1;  // of its share: kWeightMin to kWeightMax
  std::uint32_t metric = 0;
  std::uint32_t identity = 0;  // of what it leads to: identity_of()
};

// Tells the targets of routes apart, as choose() does: equal on every machine
// and in every configuration. `group`: its name; with Action::Steer. Different
// targets have one identity with a probability of 2^-32.
std::uint32_t identity_of(Action action, std::string_view group = {}) noexcept;

// A routing table. Constant after construction; not to be used once moved from.
class Table {
 public:
  // `default_group`: an index in Snapshot::groups, for what no route takes.
  Table(std::string name, std::int32_t priority, std::vector<Route> routes,
        std::optional<std::uint32_t> default_group = std::nullopt);
  Table(Table&& other) noexcept;
  Table& operator=(Table&& other) noexcept;
  ~Table();

  const std::string& name() const noexcept { return name_; }
  std::int32_t priority() const noexcept { return priority_; }
  std::optional<std::uint32_t> default_group() const noexcept { return default_group_; }
  // Sorted by prefix (outer ones before those they contain), then by metric,
  // then as given.
  std::span<const Route> routes() const noexcept { return routes_; }

  // Routes of one prefix and one metric, which share its flows: the index in
  // routes() of the first, and how many there are.
  struct Tier {
    std::uint32_t first = 0;
    std::uint32_t count = 0;  // 0: there is none
  };
  // The tiers for the destination, best first: longest prefix, then lowest
  // metric. They do not allocate. The time does not depend on how many routes
  // there are.
  Tier best(const Address& destination) const noexcept;
  Tier next_best(const Tier& tier) const noexcept;  // REQUIRES: tier.count > 0
  // The tier that the route is in.
  Tier tier_of(std::uint32_t route) const noexcept;

  // The index in routes() of the tier's route for a flow, among those that
  // `usable` takes; nullopt where it takes none. Each gets the share of its
  // weight over all hashes, and when one is not usable only its own flows move:
  // weighted rendezvous hashing (Thaler, Ravishankar: "Using name-based mappings
  // to increase hit rates", 1998; weights by Schindelhauer, Schomaker, 2005).
  template <typename Usable>
  std::optional<std::uint32_t> choose(const Tier& tier, std::uint64_t flow_hash,
                                      Usable usable) const noexcept {
    std::optional<std::uint32_t> chosen;
    if (tier.count == 1) {
      if (usable(routes_[tier.first])) chosen = tier.first;
      return chosen;
    }
    double best = 0;
    for (std::uint32_t i = tier.first; i < tier.first + tier.count; ++i) {
      if (!usable(routes_[i])) continue;
      const double cost = cost_of(i, flow_hash);
      if (chosen && cost >= best) continue;
      chosen = i;
      best = cost;
    }
    return chosen;
  }

 private:
  // From a destination to the first route of its longest prefix.
  struct Index;
  // No route; there are fewer.
  static constexpr std::uint32_t kNone = 0x7fff'ffff;

  // The lower, the more does the route want the flow.
  double cost_of(std::uint32_t route, std::uint64_t flow_hash) const noexcept;
  Tier tier_at(std::uint32_t first) const noexcept;

  std::string name_;
  std::int32_t priority_;
  std::optional<std::uint32_t> default_group_;
  std::vector<Route> routes_;
  // By the first route of a tier, that of the next best: the next metric of the
  // prefix, or the best of the longest prefix that contains it. Indexes in
  // routes_; kNone: there is none.
  std::vector<std::uint32_t> links_;
  std::unique_ptr<const Index> index_;
};

}  // namespace nfsteer
