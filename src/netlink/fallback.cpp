// What the kernel does with new flows while no engine answers.
#include <algorithm>
#include <cmath>
#include <map>

#include "nfsteer/base/text.hpp"
#include "nfsteer/netlink.hpp"
#include "ranges.hpp"

namespace nfsteer::netlink {
namespace {

constexpr Prefix everything(Family family) {
  return {family == Family::V4 ? Address::v4(0) : Address::v6(0, 0), 0};
}

// One of those among whom a route's flows are shared.
struct Share {
  Action action = Action::Steer;
  std::uint32_t group = 0;  // index in the snapshot's groups; with Action::Steer
  std::uint32_t weight = 1;

  friend auto operator<=>(const Share&, const Share&) = default;
};
using Shares = std::vector<Share>;

// Into so many parts go the flows that are shared: weights are exact to a millionth.
constexpr std::uint64_t kParts = 1'000'000;

// A server that gets flows of its group.
struct Taker {
  ServerId id = 0;
  std::uint64_t weight = 1;
};

// Those of the lineup's side, by the weights of one tier, or as several share. Servers
// that start slowly have their whole weight.
std::vector<Taker> takers_of(const Lineup::Side& side) {
  const auto gets_flows = [](const Lineup::Tier& tier) { return tier.share > 0; };
  const bool is_one = std::ranges::count_if(side.tiers(), gets_flows) == 1;
  std::vector<Taker> takers;
  for (const Lineup::Tier& tier : side.tiers()) {
    if (!gets_flows(tier)) continue;
    double sum = 0;
    for (const Member& member : tier.members)
      if (member.portion > 0) sum += member.weight;
    const double parts = is_one ? sum : tier.share * static_cast<double>(kParts);
    for (const Member& member : tier.members)
      if (member.portion > 0)
        takers.push_back({member.id, static_cast<std::uint64_t>(std::max<long long>(
                                         std::llround(parts * member.weight / sum), 1))});
  }
  return takers;
}

}  // namespace

// What decide() would do with the flows of one family that no policy matches. Which
// group has an address follows from which groups are usable, and takes time where
// there are many routes; so it is done again only when that changes.
class FallbackPlan::Side {
 public:
  Side(const Snapshot& snapshot, Family family) : snapshot_(snapshot), family_(family) {}

  void write(const Situation& situation, Ruleset& ruleset) {
    std::vector<bool> usable;
    for (const auto& lineup : situation.lineups)
      usable.push_back(!lineup->side(family_).tiers().empty());
    if (!is_settled_ || usable != usable_) settle(std::move(usable));
    const std::size_t first = ruleset.fallback_groups.size();
    for (std::size_t i = 0; i < used_.size(); ++i)
      ruleset.fallback_groups.push_back(make_group(situation, *used_[i], i));
    for (Ruleset::FallbackRange range : ranges_) {
      range.group += first;
      ruleset.fallback.push_back(range);
    }
  }

 private:
  // As decide() does, an earlier table goes before a later one, and in it a
  // longer prefix, then a lower metric, before others.
  void settle(std::vector<bool> usable) {
    usable_ = std::move(usable);
    is_settled_ = true;
    numbers_.clear();
    shares_.clear();
    claims_.clear();
    claim_all();
    keep_ranges();
    claims_ = {};
  }

  void claim_all() {
    std::size_t rank = snapshot_.tables.size();
    for (const Table& table : snapshot_.tables) {
      claim(table, rank);
      if (const auto group = table.default_group())
        claim(everything(family_), rank, {{Action::Steer, *group}});
      --rank;
    }
    // A policy may accept what would be refused here: the way to this machine
    // itself must not end with the engine.
    const auto& [action, group, table] = snapshot_.no_route;
    const bool refuses = action == Action::Drop || action == Action::Reject;
    if (refuses && !snapshot_.policies.empty()) return;
    claim(everything(family_), 0, {{action, group ? *group : 0}});
  }

  void claim(const Table& table, std::size_t rank) {
    const auto routes = table.routes();
    Table::Tier tier;
    for (std::uint32_t i = 0; i < routes.size(); i += tier.count) {
      tier = table.tier_of(i);
      if (routes[i].prefix.address.family != family_) continue;
      Shares shares;
      for (const Route& route : routes.subspan(i, tier.count))
        shares.push_back({route.action, route.group, route.weight});
      claim(routes[i].prefix, rank, std::move(shares));
    }
  }

  // Where none of the shares can take flows, the prefix is left to other claims.
  void claim(const Prefix& prefix, std::size_t rank, Shares shares) {
    std::erase_if(shares, [this](const Share& share) {
      return share.action == Action::Steer && !usable_[share.group];
    });
    if (shares.empty()) return;
    if (shares.size() == 1) shares.front().weight = 1;
    std::sort(shares.begin(), shares.end());
    const auto [number, is_new] = numbers_.try_emplace(std::move(shares), shares_.size());
    if (is_new) shares_.push_back(&number->first);
    claims_.push_back({prefix, rank, number->second});
  }

  // What is accepted anyway, as is all that no range has, is left out.
  void keep_ranges() {
    used_.clear();
    ranges_.clear();
    std::map<std::size_t, std::size_t> places;  // in used_, by number of the shares
    for (Ruleset::FallbackRange range : netlink::settle(claims_)) {
      const Shares& shares = *shares_[range.group];
      if (shares.size() == 1 && shares.front().action == Action::Accept) continue;
      const auto [place, is_new] = places.try_emplace(range.group, used_.size());
      if (is_new) used_.push_back(&shares);
      range.group = place->second;
      ranges_.push_back(range);
    }
  }

  std::vector<Taker> takers(const Situation& situation, const Share& share) const {
    return takers_of(situation.lineups[share.group]->side(family_));
  }

  Ruleset::FallbackGroup make_group(const Situation& situation, const Shares& shares,
                                    std::size_t index) const {
    const Share& first = shares.front();
    Ruleset::FallbackGroup made{{}, family_, {}};
    if (shares.size() == 1) {
      made.name =
          first.action == Action::Steer ? snapshot_.groups[first.group].name : name(first.action);
      add_members(situation, first, std::nullopt, made);
      return made;
    }
    made.name = format("shared.{}", index);  // no group's name has a point
    std::uint64_t sum = 0;
    for (const Share& share : shares) sum += share.weight;
    for (const Share& share : shares)
      add_members(situation, share, kParts * share.weight / sum, made);
    return made;
  }

  // Of so many parts each gets those of its weight, and one at least; without `parts`
  // the weight itself.
  void add_members(const Situation& situation, const Share& share,
                   std::optional<std::uint64_t> parts, Ruleset::FallbackGroup& group) const {
    const auto add = [&](const std::vector<Taker>& takers, Action action) {
      std::uint64_t sum = 0;
      for (const Taker& taker : takers) sum += taker.weight;
      for (const auto& [id, weight] : takers)
        group.members.push_back({id,
                                 static_cast<std::uint32_t>(std::max<std::uint64_t>(
                                     parts.value_or(sum) * weight / sum, 1)),
                                 action});
    };
    if (share.action == Action::Steer)
      add(takers(situation, share), share.action);
    else
      add({Taker{}}, share.action);
  }

  const Snapshot& snapshot_;
  const Family family_;
  bool is_settled_ = false;
  std::vector<bool> usable_;  // groups, when it was settled
  std::map<Shares, std::size_t> numbers_;
  std::vector<const Shares*> shares_;           // by number; keys of numbers_
  std::vector<Claim> claims_;                   // Claim::group is such a number
  std::vector<const Shares*> used_;             // by some range
  std::vector<Ruleset::FallbackRange> ranges_;  // FallbackRange::group is an index in used_
};

FallbackPlan::FallbackPlan(const Snapshot& snapshot) {
  for (const Family family : {Family::V4, Family::V6})
    sides_.push_back(std::make_unique<Side>(snapshot, family));
}

FallbackPlan::~FallbackPlan() = default;

void FallbackPlan::write(const Situation& situation, Ruleset& ruleset) {
  ruleset.fallback_groups.clear();
  ruleset.fallback.clear();
  for (const auto& side : sides_) side->write(situation, ruleset);
}

}  // namespace nfsteer::netlink
