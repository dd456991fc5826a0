#include <algorithm>
#include <tuple>

#include "nfsteer/balance.hpp"
#include "nfsteer/base/mix.hpp"
#include "nfsteer/base/text.hpp"
#include "rendezvous.hpp"

namespace nfsteer {
namespace {

using Tier = Lineup::Tier;

bool takes_any(const Tier& tier) noexcept {
  return std::any_of(tier.members.begin(), tier.members.end(),
                     [](const Member& member) { return member.portion > 0; });
}

}  // namespace

std::vector<std::vector<const Server*>> tiers_of(const Pool& pool) {
  std::vector<const Server*> servers;
  for (const Server& server : pool.servers) servers.push_back(&server);
  std::stable_sort(servers.begin(), servers.end(),
                   [](const Server* a, const Server* b) { return comes_before(*a, *b); });
  std::vector<std::vector<const Server*>> tiers;
  for (const Server* server : servers) {
    if (tiers.empty() || comes_before(*tiers.back().front(), *server)) tiers.emplace_back();
    tiers.back().push_back(server);
  }
  return tiers;
}

Lineup::Side::Side(const Group& group, const Pool& pool, const Algorithm& algorithm,
                   const Gauges& gauges, std::uint64_t seed, const LineupPlan& plan)
    : panic_(plan.panic), gauges_(&gauges) {
  const auto all = nfsteer::tiers_of(pool);
  for (std::size_t number = 0; number < all.size(); ++number) {
    Tier tier;
    tier.number = number;
    for (const Server* server : all[number]) {
      Standing standing = plan.standing(*server);
      tier.members.push_back({server->id, server->identity, standing.weight, standing.portion});
      tier.limits.push_back(server->max_connections);
      if (standing.portion <= 0) absences_.push_back({server->id, std::move(standing.away)});
    }
    if (!takes_any(tier)) continue;
    tier.share = plan.shares.empty() ? (tiers_.empty() ? 1 : 0) : plan.shares[number];
    if (std::all_of(tier.limits.begin(), tier.limits.end(), [](auto limit) { return limit == 0; }))
      tier.limits.clear();
    tier.balancer = algorithm.make({tier.members, *pool.state, gauges, seed, group.factor});
    tiers_.push_back(std::move(tier));
  }
  std::stable_partition(tiers_.begin(), tiers_.end(),
                        [](const Tier& tier) { return tier.share > 0; });
  for (std::size_t t = 0; t < tiers_.size(); ++t)
    for (std::size_t m = 0; m < tiers_[t].members.size(); ++m)
      places_.push_back(
          {tiers_[t].members[m].id, static_cast<std::uint16_t>(t), static_cast<std::uint16_t>(m)});
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

bool Lineup::Side::is_free(const Tier& tier, std::size_t member) const noexcept {
  return is_open(tier, member) && !gauges_->is_barred(tier.members[member].id);
}

const Lineup::Tier* Lineup::Side::first_open() const noexcept {
  const auto found =
      std::ranges::find_if(tiers_, [this](const Tier& tier) { return is_open(tier); });
  return found == tiers_.end() ? nullptr : &*found;
}

// The tier that the shares give the flow, or where nobody of it can take it, the
// first where one can. The hash is mixed anew, as the balancer goes by it, too.
const Lineup::Tier* Lineup::Side::open_tier(std::uint64_t hash) const noexcept {
  if (tiers_.size() < 2 || tiers_[1].share <= 0) return first_open();
  double left = uniform(mix(hash ^ kGolden));
  for (const Tier& tier : tiers_) {
    left -= tier.share;
    if (left <= 0) return is_open(tier) ? &tier : first_open();
  }
  return first_open();
}

bool Lineup::Side::is_usable() const noexcept {
  return first_open() != nullptr;
}

const Lineup::Side::Place* Lineup::Side::place_of(ServerId server) const noexcept {
  const auto place = std::ranges::lower_bound(places_, server, {}, &Place::server);
  return place == places_.end() || place->server != server ? nullptr : &*place;
}

const Member* Lineup::Side::find(ServerId server) const noexcept {
  const Place* place = place_of(server);
  return place ? &tiers_[place->tier].members[place->member] : nullptr;
}

bool Lineup::Side::takes(ServerId server) const noexcept {
  const Place* place = place_of(server);
  if (!place) return false;
  const Tier& tier = tiers_[place->tier];
  return is_free(tier, place->member) && (tier.share > 0 || first_open() == &tier);
}

// Only the balancer that chooses is asked: one that is asked moves the order on.
std::optional<ServerId> Lineup::Side::choose(const Pick& pick) const noexcept {
  const Tier* tier = open_tier(pick.hash);
  if (!tier) return std::nullopt;
  const std::size_t chosen = tier->balancer->pick(pick);
  if (is_free(*tier, chosen)) return tier->members[chosen].id;
  if (const auto other = choose_free(*tier, pick.hash)) return other;
  if (is_open(*tier, chosen)) return tier->members[chosen].id;
  const auto open =
      rendezvous(tier->members, pick.hash, [&](std::size_t i) { return is_open(*tier, i); });
  return tier->members[open.value_or(chosen)].id;
}

ServerId Lineup::Side::choose_beyond(const Pick& pick) const noexcept {
  const Tier& tier = tiers_.front();
  return tier.members[tier.balancer->pick(pick)].id;
}

// One of the tier, or else of the others in their order.
std::optional<ServerId> Lineup::Side::choose_free(const Tier& preferred,
                                                  std::uint64_t hash) const noexcept {
  const auto choose = [&](const Tier& tier) -> std::optional<ServerId> {
    const auto chosen =
        rendezvous(tier.members, hash, [&](std::size_t i) { return is_free(tier, i); });
    return chosen ? std::optional(tier.members[*chosen].id) : std::nullopt;
  };
  if (const auto chosen = choose(preferred)) return chosen;
  for (const Tier& tier : tiers_)
    if (&tier != &preferred)
      if (const auto chosen = choose(tier)) return chosen;
  return std::nullopt;
}

bool comes_before(const Server& first, const Server& second) noexcept {
  return std::tuple(first.backup, -first.priority) < std::tuple(second.backup, -second.priority);
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

Result<ServerState> parse_server_state(std::string_view text) {
  for (const ServerState state : {ServerState::Up, ServerState::Drain, ServerState::Maintenance})
    if (text == name(state)) return state;
  return fail(format("`{}` is no state: there are up, drain, maintenance", printable(text)));
}

}  // namespace nfsteer
