#include <algorithm>
#include <tuple>

#include "nfsteer/balance.hpp"
#include "rendezvous.hpp"

namespace nfsteer {
namespace {

using Tier = Lineup::Tier;

bool takes_any(const Tier& tier) noexcept {
  return std::any_of(tier.members.begin(), tier.members.end(),
                     [](const Member& member) { return member.portion > 0; });
}

}  // namespace

Lineup::Side::Side(const Group& group, const Pool& pool, const Gauges& gauges, std::uint64_t seed,
                   const std::function<double(const Server&)>& portion)
    : gauges_(&gauges) {
  std::vector<const Server*> servers;
  for (const Server& server : pool.servers) servers.push_back(&server);
  std::stable_sort(servers.begin(), servers.end(),
                   [](const Server* a, const Server* b) { return comes_before(*a, *b); });
  for (std::size_t i = 0; i < servers.size();) {
    Tier tier;
    const Server& first = *servers[i];
    for (; i < servers.size() && !comes_before(first, *servers[i]); ++i) {
      const Server& server = *servers[i];
      tier.members.push_back({server.id, server.identity, server.weight, portion(server)});
      tier.limits.push_back(server.max_connections);
    }
    if (!takes_any(tier)) continue;
    if (std::all_of(tier.limits.begin(), tier.limits.end(), [](auto limit) { return limit == 0; }))
      tier.limits.clear();
    tier.balancer = find_algorithm(group.algorithm)
                        ->make({tier.members, *pool.state, gauges, seed, group.factor});
    for (std::size_t m = 0; m < tier.members.size(); ++m)
      places_.push_back({tier.members[m].id, static_cast<std::uint16_t>(tiers_.size()),
                         static_cast<std::uint16_t>(m)});
    tiers_.push_back(std::move(tier));
  }
  std::ranges::sort(places_, {}, &Place::server);
}

bool Lineup::Side::is_open(const Tier& tier, std::size_t member) const noexcept {
  const auto& [id, identity, weight, portion] = tier.members[member];
  if (portion <= 0) return false;
  if (tier.limits.empty() || tier.limits[member] == 0) return true;
  return (*gauges_)[id].load() < tier.limits[member];
}

bool Lineup::Side::is_open(const Tier& tier) const noexcept {
  if (tier.limits.empty()) return true;
  for (std::size_t i = 0; i < tier.members.size(); ++i)
    if (is_open(tier, i)) return true;
  return false;
}

const Lineup::Tier* Lineup::Side::first_open() const noexcept {
  const auto found =
      std::ranges::find_if(tiers_, [this](const Tier& tier) { return is_open(tier); });
  return found == tiers_.end() ? nullptr : &*found;
}

bool Lineup::Side::is_usable() const noexcept {
  return first_open() != nullptr;
}

bool Lineup::Side::takes(ServerId server) const noexcept {
  const auto place = std::ranges::lower_bound(places_, server, {}, &Place::server);
  if (place == places_.end() || place->server != server) return false;
  const Tier& tier = tiers_[place->tier];
  return is_open(tier, place->member) && first_open() == &tier;
}

// Only the balancer that chooses is asked: one that is asked moves the order on.
std::optional<ServerId> Lineup::Side::choose(const Pick& pick) const noexcept {
  const Tier* tier = first_open();
  if (!tier) return std::nullopt;
  const std::size_t chosen = tier->balancer->pick(pick);
  return is_open(*tier, chosen) ? tier->members[chosen].id : choose_open(*tier, pick.hash);
}

ServerId Lineup::Side::choose_beyond(const Pick& pick) const noexcept {
  const Tier& tier = tiers_.front();
  return tier.members[tier.balancer->pick(pick)].id;
}

std::optional<ServerId> Lineup::Side::choose_open(const Tier& tier,
                                                  std::uint64_t hash) const noexcept {
  const auto chosen =
      rendezvous(tier.members, hash, [&](std::size_t i) { return is_open(tier, i); });
  return chosen ? std::optional(tier.members[*chosen].id) : std::nullopt;
}

bool comes_before(const Server& first, const Server& second) noexcept {
  return std::tuple(first.backup, -first.priority) < std::tuple(second.backup, -second.priority);
}

bool Group::is_usable(Family family) const noexcept {
  const auto& servers = pool(family).servers;
  return std::any_of(servers.begin(), servers.end(),
                     [](const Server& server) { return server.state == ServerState::Up; });
}

const char* name(ServerState state) noexcept {
  switch (state) {
    case ServerState::Up:
      return "up";
    case ServerState::Drain:
      return "drain";
    case ServerState::Maintenance:
      return "maintenance";
  }
  return "";
}

}  // namespace nfsteer
