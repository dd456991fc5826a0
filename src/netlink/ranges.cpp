#include "ranges.hpp"

#include <algorithm>

namespace nfsteer::netlink {
namespace {

using ScopeRange = Ruleset::ScopeRange;
using FallbackRange = Ruleset::FallbackRange;

// The neighbours of an address. No range reaches the last address of its
// family, so that there is always a next one.
Address next(Address address) {
  if (++address.low == 0) ++address.high;
  return address;
}

Address previous(Address address) {
  if (address.low-- == 0) --address.high;
  return address;
}

std::optional<ScopeRange> steerable_part(const Prefix& prefix) {
  const Address end = steerable(prefix.address.family).last;
  if (prefix.first() > end) return std::nullopt;
  return ScopeRange{prefix.first(), std::min(prefix.last(), end)};
}

// A claim with its addresses, and its place in the list.
struct Placed {
  ScopeRange range;
  std::size_t place;
  const Claim* claim;
};

// Outer ranges before the inner ones that begin with them, and of equal ones the
// winner last: a later one never reaches out of an earlier one that it overlaps.
bool opens_before(const Placed& a, const Placed& b) {
  if (a.range.first != b.range.first) return a.range.first < b.range.first;
  if (a.claim->prefix.length != b.claim->prefix.length)
    return a.claim->prefix.length < b.claim->prefix.length;
  return a.place > b.place;
}

// Goes over the addresses once, with those claims open that contain the current
// one. Each open claim knows who wins where nothing further opens.
class Sweep {
 public:
  void open(const Placed& placed) {
    while (!open_.empty() && open_.back().last < placed.range.first) close();
    if (!open_.empty() && at_ < placed.range.first) write(previous(placed.range.first));
    at_ = placed.range.first;
    const Claim& claim = *placed.claim;
    if (open_.empty() || claim.rank >= open_.back().rank)
      open_.push_back({placed.range.last, claim.rank, claim.group});
    else
      open_.push_back({placed.range.last, open_.back().rank, open_.back().group});
  }

  std::vector<FallbackRange> finish() && {
    while (!open_.empty()) close();
    return std::move(ranges_);
  }

 private:
  struct Open {
    Address last;
    std::size_t rank;  // of the winner
    std::size_t group;
  };

  void close() {
    const Address last = open_.back().last;
    if (at_ <= last) write(last);
    at_ = next(last);
    open_.pop_back();
  }

  // Gives what lies between the current address and `last` to the innermost.
  void write(const Address& last) {
    const std::size_t group = open_.back().group;
    if (!ranges_.empty() && ranges_.back().group == group && next(ranges_.back().last) == at_)
      ranges_.back().last = last;
    else
      ranges_.push_back({at_, last, group});
  }

  std::vector<Open> open_;  // the innermost at the back
  Address at_;              // the first address that is not written yet
  std::vector<FallbackRange> ranges_;
};

}  // namespace

std::vector<ScopeRange> cover(const std::vector<Prefix>& prefixes) {
  std::vector<ScopeRange> parts;
  for (const Prefix& prefix : prefixes)
    if (const auto part = steerable_part(prefix)) parts.push_back(*part);
  std::sort(parts.begin(), parts.end(),
            [](const ScopeRange& a, const ScopeRange& b) { return a.first < b.first; });
  std::vector<ScopeRange> merged;
  for (const ScopeRange& part : parts) {
    if (!merged.empty() && part.first <= next(merged.back().last))
      merged.back().last = std::max(merged.back().last, part.last);
    else
      merged.push_back(part);
  }
  return merged;
}

std::vector<FallbackRange> settle(const std::vector<Claim>& claims) {
  std::vector<Placed> placed;
  placed.reserve(claims.size());
  for (const Claim& claim : claims)
    if (const auto part = steerable_part(claim.prefix))
      placed.push_back({*part, placed.size(), &claim});
  std::sort(placed.begin(), placed.end(), opens_before);
  Sweep sweep;
  for (const Placed& each : placed) sweep.open(each);
  return std::move(sweep).finish();
}

}  // namespace nfsteer::netlink
