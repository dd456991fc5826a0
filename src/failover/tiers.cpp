#include <algorithm>

#include "nfsteer/failover.hpp"

namespace nfsteer {
namespace {

// What a tier has, and how much of it can take flows.
struct Strength {
  double wanted = 0, usable = 0;  // weights
  std::uint32_t servers = 0;      // usable ones

  double part() const noexcept { return wanted > 0 ? usable / wanted : 0; }
};

std::vector<Strength> strengths_of(std::span<const TierMember> members) {
  std::vector<Strength> tiers;
  for (const TierMember& member : members) {
    if (member.tier >= tiers.size()) tiers.resize(member.tier + 1);
    if (!member.wanted) continue;
    Strength& tier = tiers[member.tier];
    tier.wanted += member.weight;
    if (!member.healthy) continue;
    tier.usable += member.weight;
    ++tier.servers;
  }
  return tiers;
}

// What each tier from `floor` on gets, where a tier with fewer than `min_up` servers
// gets nothing; in all 1 at most.
std::vector<double> shares_of(const std::vector<Strength>& tiers, std::size_t floor,
                              std::uint32_t min_up) {
  std::vector<double> shares(tiers.size());
  double left = 1;
  for (std::size_t i = floor; i < tiers.size(); ++i) {
    if (tiers[i].servers < min_up) continue;
    shares[i] = std::min(left, kSpill * tiers[i].part());
    left -= shares[i];
  }
  return shares;
}

double sum_of(const std::vector<double>& shares) {
  double sum = 0;
  for (const double share : shares) sum += share;
  return sum;
}

}  // namespace

std::optional<std::size_t> TierPlan::first() const noexcept {
  const auto found = std::ranges::find_if(shares, [](double share) { return share > 0; });
  if (found == shares.end()) return std::nullopt;
  return static_cast<std::size_t>(found - shares.begin());
}

bool TierPlan::has_panic() const noexcept {
  return std::ranges::find(panic, true) != panic.end();
}

TierPlan plan_tiers(std::span<const TierMember> members, const FailoverConfig& config,
                    std::size_t floor) {
  const std::vector<Strength> tiers = strengths_of(members);
  TierPlan plan;
  plan.panic.resize(tiers.size());
  plan.shares = shares_of(tiers, floor, config.min_up);
  if (plan.first() == std::nullopt) plan.shares = shares_of(tiers, 0, config.min_up);
  if (plan.first() == std::nullopt) plan.shares = shares_of(tiers, 0, 1);
  const double sum = sum_of(plan.shares);
  constexpr double kRounding = 1e-9;
  if (sum > 0 && sum < 1 - kRounding)
    for (std::size_t i = 0; i < tiers.size(); ++i) {
      plan.panic[i] = plan.shares[i] > 0 && tiers[i].part() * 100 < config.panic_percent;
      plan.shares[i] /= sum;
    }
  for (const TierMember& member : members)
    plan.takes.push_back(member.wanted && (member.healthy || plan.panic[member.tier]));
  return plan;
}

}  // namespace nfsteer
