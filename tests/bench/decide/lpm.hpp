// Longest-prefix match over the internet's routes, beside one red-black tree of
// the same intervals; and the routing table that is made of it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "../measure.hpp"
#include "nfsteer/base/address.hpp"
#include "nfsteer/base/lpm.hpp"
#include "nfsteer/route.hpp"

namespace nfsteer::bench {

inline constexpr std::size_t kKeys = std::size_t{1} << 19;
inline constexpr std::uint32_t kNextHops = 251;

template <typename Key>
using Entries = std::vector<typename Lpm<Key>::Entry>;

template <typename Key>
Entries<Key> make_entries(const std::vector<Prefix>& prefixes) {
  const Family family = sizeof(Key) == 4 ? Family::V4 : Family::V6;
  std::mt19937_64 random(1);
  Entries<Key> made;
  for (const auto& [address, length] : prefixes)
    if (address.family == family)
      made.push_back({static_cast<Key>(Key128{address.high} << 64 | address.low), length,
                      static_cast<std::uint32_t>(random() % kNextHops)});
  return made;
}

template <typename Key>
Key host_bits(unsigned length) {
  return length == sizeof(Key) * 8 ? Key{0} : static_cast<Key>(static_cast<Key>(~Key{0}) >> length);
}

// A prefix of the table, each as likely as the other, and random host bits.
template <typename Key>
std::vector<Key> make_keys(const Entries<Key>& entries) {
  std::mt19937_64 random(2);
  std::vector<Key> keys(kKeys);
  for (Key& key : keys) {
    const auto& entry = entries[random() % entries.size()];
    const auto bits = static_cast<Key>(Key128{random()} << 64 | random());
    key = entry.first | (bits & host_bits<Key>(entry.length));
  }
  return keys;
}

// From the first key of each interval to its value.
template <typename Key>
class IntervalMap {
 public:
  IntervalMap(const Entries<Key>& entries, const Lpm<Key>& lpm) {
    std::vector<Key> firsts = {0};
    for (const auto& entry : entries) {
      firsts.push_back(entry.first);
      firsts.push_back((entry.first | host_bits<Key>(entry.length)) + 1);
    }
    std::sort(firsts.begin(), firsts.end());
    for (const Key first : firsts) {
      const std::uint32_t value = lpm.find(first);
      if (values_.empty() || values_.rbegin()->second != value)
        values_.emplace_hint(values_.end(), first, value);
    }
  }
  std::uint32_t find(Key key) const { return std::prev(values_.upper_bound(key))->second; }

 private:
  std::map<Key, std::uint32_t> values_;
};

template <typename Table, typename Key>
auto independent(const Table& table, const std::vector<Key>& keys) {
  return [&] {
    std::uint32_t sum = 0;
    for (const Key key : keys) sum += table.find(key);
    return sum;
  };
}

// Each key is known only when the one before was found: values have 31 bits.
template <typename Table, typename Key>
auto dependent(const Table& table, const std::vector<Key>& keys) {
  return [&] {
    std::uint32_t last = 0, sum = 0;
    for (const Key key : keys) sum += last = table.find(key ^ last >> 31);
    return sum;
  };
}

template <typename Key>
void bench_lpm(const std::string& name, const std::vector<Prefix>& prefixes) {
  const auto entries = make_entries<Key>(prefixes);
  const auto keys = make_keys<Key>(entries);
  const Lpm<Key> lpm(entries);
  const double before_tree = bytes_in_use();
  const IntervalMap<Key> tree(entries, lpm);
  const double tree_bytes = bytes_in_use() - before_tree;
  for (const Key key : keys)
    if (lpm.find(key) != tree.find(key)) std::abort();

  const auto apart = measure(kKeys, independent(lpm, keys), independent(tree, keys));
  const auto chained = measure(kKeys, dependent(lpm, keys), dependent(tree, keys));
  const auto built = measure(entries.size(), [&] { return Lpm<Key>(entries).bytes(); });
  print_row((name + "/independent").c_str(), apart[0], "red-black tree", apart[1]);
  print_row((name + "/dependent").c_str(), chained[0], "red-black tree", chained[1]);
  const auto routes = static_cast<double>(entries.size());
  std::printf("%-24s %.1f bytes a route (red-black tree: %.1f), %.1f ms to build; %zu routes\n",
              name.c_str(), static_cast<double>(lpm.bytes()) / routes, tree_bytes / routes,
              built[0].median() * routes / 1e6, entries.size());
}

// So many routes to each prefix, all of one metric.
inline std::vector<Route> make_routes(const std::vector<Prefix>& prefixes, std::uint32_t to_each) {
  std::mt19937_64 random(3);
  std::vector<Route> routes;
  for (const Prefix& prefix : prefixes)
    for (std::uint32_t i = 0; i < to_each; ++i) {
      const auto group = static_cast<std::uint32_t>(random() % kNextHops);
      routes.push_back({.prefix = prefix, .group = group, .identity = group});
    }
  return routes;
}

// As decide() uses it: each route a value of its own, both families, and the
// route itself is read.
inline auto lookups(const Table& table, const std::vector<Address>& keys) {
  return [&] {
    std::uint32_t sum = 0;
    for (const Address& key : keys)
      sum +=
          table.routes()[*table.choose(table.best(key), key.low, [](const Route&) { return true; })]
              .group;
    return sum;
  };
}

inline void bench_table(const std::vector<Prefix>& prefixes) {
  std::mt19937_64 random(3);
  std::vector<Route> routes = make_routes(prefixes, 1);
  const auto sorted =
      measure(routes.size(), [&] { return Table("sorted", 0, routes).routes().size(); });
  std::shuffle(routes.begin(), routes.end(), random);
  const auto shuffled =
      measure(routes.size(), [&] { return Table("shuffled", 0, routes).routes().size(); });

  const double before = bytes_in_use();
  const Table table("internet", 0, routes);
  const double bytes = bytes_in_use() - before;
  const Table shared("shared", 0, make_routes(prefixes, 4));
  std::vector<Address> keys(kKeys);
  for (Address& key : keys) {
    const Prefix& prefix = routes[random() % routes.size()].prefix;
    key = prefix.last();
    key.low -= random() & (key.low - prefix.first().low);
  }
  const auto looked_up = measure(kKeys, lookups(table, keys), lookups(shared, keys));
  print_row("table/lookup", looked_up[0]);
  print_row("table/lookup of 4 equal", looked_up[1]);
  const auto count = static_cast<double>(routes.size());
  std::printf("%-24s %.1f bytes a route, %.0f ms to build (%.0f ms of sorted routes); %zu routes\n",
              "table", bytes / count, shuffled[0].median() * count / 1e6,
              sorted[0].median() * count / 1e6, routes.size());
}

}  // namespace nfsteer::bench
