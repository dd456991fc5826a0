#include "field_classes.hpp"

#include <cassert>
#include <numeric>

namespace nfsteer {
namespace {

// So few are searched in the time that reading pages takes.
constexpr std::size_t kSearchedMax = 4;

// A prefix to be sorted: IPv4 with the length in one number, which is what most
// are; IPv6 as it is.
template <typename Key>
struct Placed {
  Key key;
  std::uint32_t place;  // in the caller's order

  friend bool operator<(const Placed& a, const Placed& b) noexcept { return a.key < b.key; }
};

// Which prefix of the ascending ones each lies in: its number from one, or the
// root.
std::vector<std::uint32_t> find_parents(std::span<const Prefix> sorted) {
  std::vector<std::uint32_t> parents = {PrefixTree::kRoot};
  parents.reserve(sorted.size() + 1);
  std::uint32_t around = PrefixTree::kRoot;  // the innermost that may contain the next
  for (const Prefix& prefix : sorted) {
    while (around != PrefixTree::kRoot && !sorted[around - 1].contains(prefix.address))
      around = parents[around];
    parents.push_back(around);
    around = static_cast<std::uint32_t>(parents.size() - 1);
  }
  return parents;
}

}  // namespace

NumberClasses::NumberClasses(std::vector<std::uint32_t> starts) : starts_(std::move(starts)) {
  starts_.push_back(0);
  std::sort(starts_.begin(), starts_.end());
  starts_.erase(std::unique(starts_.begin(), starts_.end()), starts_.end());
  starts_.shrink_to_fit();
  if (starts_.size() > kSearchedMax && starts_.back() <= kPorts) make_pages();
}

void NumberClasses::make_pages() {
  begun_.resize(kPageNumbers);
  std::uint32_t at = 0;  // the interval of the number
  for (std::uint32_t begin = 0; begin <= kPorts; begin += kPageNumbers) {
    if (at + 1 < size() && starts_[at + 1] == begin) ++at;
    Page& page = pages_.emplace_back();
    page.first = at;
    if (at + 1 == size() || starts_[at + 1] >= begin + kPageNumbers) continue;
    page.place = static_cast<std::uint32_t>(begun_.size());
    for (std::uint32_t number = begin; number < begin + kPageNumbers; ++number) {
      if (at + 1 < size() && starts_[at + 1] == number) ++at;
      begun_.push_back(static_cast<std::uint8_t>(at - page.first));
    }
  }
  begun_.shrink_to_fit();
}

std::uint32_t NumberClasses::search(std::uint32_t number) const noexcept {
  const std::uint32_t* found = starts_.data();
  for (std::size_t count = starts_.size(); count > 1;) {
    const std::size_t half = count / 2;
    found += half & -std::size_t{found[half] <= number};
    count -= half;
  }
  return static_cast<std::uint32_t>(found - starts_.data());
}

std::size_t NumberClasses::bytes() const noexcept {
  return starts_.capacity() * sizeof(std::uint32_t) + pages_.capacity() * sizeof(Page) +
         begun_.capacity();
}

PrefixTree::PrefixTree(std::span<const Prefix> sorted) : parents_(find_parents(sorted)) {
  std::vector<Lpm<std::uint32_t>::Entry> v4;
  std::vector<Lpm<Key128>::Entry> v6;
  for (std::uint32_t node = 1; node <= sorted.size(); ++node) {
    const auto& [address, length] = sorted[node - 1];
    if (address.family == Family::V4)
      v4.push_back({key4(address), length, node});
    else
      v6.push_back({key6(address), length, node});
  }
  if (!v4.empty()) v4_ = Lpm<std::uint32_t>(v4);
  if (!v6.empty()) v6_ = Lpm<Key128>(v6);
}

std::size_t PrefixTree::bytes() const noexcept {
  return v4_.bytes() + v6_.bytes() + parents_.capacity() * sizeof(std::uint32_t);
}

PrefixNodes make_tree(std::span<const Prefix> prefixes) {
  std::vector<Placed<std::uint64_t>> v4;
  std::vector<Placed<Prefix>> v6;
  for (std::uint32_t place = 0; place < prefixes.size(); ++place) {
    const auto& [address, length] = prefixes[place];
    if (address.family == Family::V4)
      v4.push_back({address.low << 8 | length, place});
    else
      v6.push_back({prefixes[place], place});
  }
  std::sort(v4.begin(), v4.end());
  std::sort(v6.begin(), v6.end());

  std::vector<Prefix> sorted;
  std::vector<std::uint32_t> nodes(prefixes.size());
  const auto number = [&](std::uint32_t place) {
    if (sorted.empty() || sorted.back() != prefixes[place]) sorted.push_back(prefixes[place]);
    nodes[place] = static_cast<std::uint32_t>(sorted.size());
  };
  for (const auto& each : v4) number(each.place);
  for (const auto& each : v6) number(each.place);
  return {PrefixTree(sorted), std::move(nodes)};
}

}  // namespace nfsteer
