#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "nfsteer/base/lpm.hpp"
#include "nfsteer/base/mix.hpp"
#include "nfsteer/route.hpp"

namespace nfsteer {
namespace {

using Lpm4 = Lpm<std::uint32_t>;
using Lpm6 = Lpm<Key128>;

bool is_first_of_prefix(std::span<const Route> routes, std::size_t i) noexcept {
  return i == 0 || routes[i - 1].prefix != routes[i].prefix;
}

bool is_first_of_tier(std::span<const Route> routes, std::size_t i) noexcept {
  return i == 0 || routes[i - 1].metric != routes[i].metric || is_first_of_prefix(routes, i);
}

std::vector<Route> sorted(std::vector<Route> routes) {
  std::stable_sort(routes.begin(), routes.end(), [](const Route& a, const Route& b) {
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    return a.metric < b.metric;
  });
  for (std::size_t i = 0; i < routes.size(); ++i) {
    routes[i].shares = !is_first_of_tier(routes, i);
    if (routes[i].shares) routes[i - 1].shares = true;
  }
  return routes;
}

// Table::links_ of the sorted routes.
std::vector<std::uint32_t> link(std::span<const Route> routes, std::uint32_t none) {
  std::vector<std::uint32_t> links(routes.size(), none);
  std::vector<std::uint32_t> outer;  // first routes of what contains the prefix, innermost last
  std::uint32_t tier = 0;            // the first route of the tier before
  for (std::uint32_t i = 0; i < routes.size(); ++i) {
    if (!is_first_of_tier(routes, i)) continue;
    if (is_first_of_prefix(routes, i)) {
      while (!outer.empty() && !routes[outer.back()].prefix.contains(routes[i].prefix.address))
        outer.pop_back();
      if (!outer.empty()) links[i] = outer.back();
      outer.push_back(i);
    } else {
      links[i] = std::exchange(links[tier], i);
    }
    tier = i;
  }
  return links;
}

}  // namespace

struct Table::Index {
  Lpm4 v4;
  Lpm6 v6;

  explicit Index(std::span<const Route> routes);
};

Table::Index::Index(std::span<const Route> routes) {
  std::vector<Lpm4::Entry> all4;
  std::vector<Lpm6::Entry> all6;
  for (std::uint32_t i = 0; i < routes.size(); ++i) {
    if (!is_first_of_prefix(routes, i)) continue;
    const auto& [address, length] = routes[i].prefix;
    if (address.family == Family::V4)
      all4.push_back({key4(address), length, i});
    else
      all6.push_back({key6(address), length, i});
  }
  v4 = Lpm4(all4);
  v6 = Lpm6(all6);
}

// FNV-1a (draft-eastlake-fnv): names that differ in one character never have
// the same.
std::uint32_t identity_of(Action action, std::string_view group) noexcept {
  constexpr std::uint32_t kBasis = 0x811c'9dc5, kPrime = 0x0100'0193;
  std::uint32_t identity = (kBasis ^ static_cast<std::uint32_t>(action)) * kPrime;
  for (const char each : group) identity = (identity ^ static_cast<unsigned char>(each)) * kPrime;
  return identity;
}

Table::Table(std::string name, std::int32_t priority, std::vector<Route> routes,
             std::optional<std::uint32_t> default_group)
    : name_(std::move(name)),
      priority_(priority),
      default_group_(default_group),
      routes_(sorted(std::move(routes))),
      links_(link(routes_, kNone)),
      index_(std::make_unique<const Index>(routes_)) {
  assert(routes_.size() < kNone);
}

Table::Table(Table&&) noexcept = default;
Table& Table::operator=(Table&&) noexcept = default;
Table::~Table() = default;

Table::Tier Table::tier_at(std::uint32_t first) const noexcept {
  if (first == kNone) return {};
  if (!routes_[first].shares) return {first, 1};  // without a look at the next route
  std::uint32_t end = first + 1;
  while (end < routes_.size() && !is_first_of_tier(routes_, end)) ++end;
  return {first, end - first};
}

Table::Tier Table::best(const Address& destination) const noexcept {
  static_assert(kNone == Lpm4::kNone && kNone == Lpm6::kNone);
  return tier_at(destination.family == Family::V4 ? index_->v4.find(key4(destination))
                                                  : index_->v6.find(key6(destination)));
}

Table::Tier Table::next_best(const Tier& tier) const noexcept {
  return tier_at(links_[tier.first]);
}

Table::Tier Table::tier_of(std::uint32_t route) const noexcept {
  if (!routes_[route].shares) return {route, 1};
  while (!is_first_of_tier(routes_, route)) --route;
  return tier_at(route);
}

// A route's cost is an exponential variable of the rate `weight`: the least of
// several is with each as often as its weight is in their sum.
double Table::cost_of(std::uint32_t route, std::uint64_t flow_hash) const noexcept {
  const Route& asked = routes_[route];
  const std::uint64_t random = mix(flow_hash + asked.identity * kGolden);
  return -std::log(uniform(random)) / asked.weight;
}

}  // namespace nfsteer
