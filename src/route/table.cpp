#include <algorithm>
#include <cassert>
#include <utility>

#include "lpm.hpp"
#include "nfsteer/route.hpp"

namespace nfsteer {
namespace {

using Lpm4 = Lpm<std::uint32_t>;
using Lpm6 = Lpm<Key128>;

std::uint32_t key4(const Address& address) noexcept {
  return static_cast<std::uint32_t>(address.low);
}

Key128 key6(const Address& address) noexcept {
  return Key128{address.high} << 64 | address.low;
}

std::vector<Route> sorted(std::vector<Route> routes) {
  std::stable_sort(routes.begin(), routes.end(), [](const Route& a, const Route& b) {
    if (a.prefix != b.prefix) return a.prefix < b.prefix;
    return a.metric < b.metric;
  });
  return routes;
}

bool is_first_of_prefix(std::span<const Route> routes, std::size_t i) noexcept {
  return i == 0 || routes[i - 1].prefix != routes[i].prefix;
}

// Table::next_best_ of the sorted routes.
std::vector<std::uint32_t> link(std::span<const Route> routes, std::uint32_t none) {
  std::vector<std::uint32_t> next(routes.size());
  std::vector<std::uint32_t> outer;  // first routes of what contains the prefix, innermost last
  for (std::uint32_t i = 0; i < routes.size(); ++i) {
    if (!is_first_of_prefix(routes, i)) {
      next[i] = std::exchange(next[i - 1], i);
      continue;
    }
    while (!outer.empty() && !routes[outer.back()].prefix.contains(routes[i].prefix.address))
      outer.pop_back();
    next[i] = outer.empty() ? none : outer.back();
    outer.push_back(i);
  }
  return next;
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

Table::Table(std::string name, std::int32_t priority, std::vector<Route> routes)
    : name_(std::move(name)),
      priority_(priority),
      routes_(sorted(std::move(routes))),
      next_best_(link(routes_, kNone)),
      index_(std::make_unique<const Index>(routes_)) {
  assert(routes_.size() < kNone);
}

Table::Table(Table&&) noexcept = default;
Table& Table::operator=(Table&&) noexcept = default;
Table::~Table() = default;

std::uint32_t Table::best(const Address& destination) const noexcept {
  static_assert(kNone == Lpm4::kNone && kNone == Lpm6::kNone);
  return destination.family == Family::V4 ? index_->v4.find(key4(destination))
                                          : index_->v6.find(key6(destination));
}

}  // namespace nfsteer
