#include "maker.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

namespace nfsteer {
namespace {

constexpr std::size_t kPoolMax = 4'096;   // values of a field
constexpr std::size_t kCarriersMax = 8;   // policies that are tried to get to a table
constexpr std::size_t kPioneersMax = 24;  // flows that are tried again
constexpr std::int64_t kTriesInAll = 5'000'000;
constexpr std::int64_t kTriesMin = 16, kTriesMax = 1'000;
constexpr Family kFamilies[] = {Family::V4, Family::V6};

const Match kAnyFlow;

int patience_for(const Snapshot& snapshot) {
  std::size_t rules = snapshot.rules.size() + 1;
  for (const Table& table : snapshot.tables) rules += table.routes().size();
  return static_cast<int>(
      std::clamp(kTriesInAll / static_cast<std::int64_t>(rules), kTriesMin, kTriesMax));
}

// Protocols and types go before what depends on them.
bool comes_first(const Criterion& criterion) {
  const std::string_view name = criterion.field->name;
  return name == "proto" || name == "icmp_type";
}

}  // namespace

Maker::Maker(const Snapshot& snapshot)
    : snapshot_(snapshot), values_(snapshot), random_(1), patience_(patience_for(snapshot)) {
  gather_pool();
}

std::optional<Maker::Drafts> Maker::next() {
  if (!std::exchange(is_begun_, true)) return make_ordinary();
  if (policy_ < snapshot_.policies.size()) return make_for_policy(policy_++);
  for (; table_ < snapshot_.tables.size(); ++table_) {
    const Table& table = snapshot_.tables[table_];
    if (!std::exchange(is_table_entered_, true)) enter_table();
    if (route_ < table.routes().size()) {
      const Table::Tier tier = table.tier_of(route_);
      route_ += tier.count;
      return make_for_tier(table_, tier);
    }
    if (!std::exchange(is_default_done_, true) && table.default_group())
      return make_for_default(table_);
    is_table_entered_ = is_default_done_ = false;
  }
  if (!std::exchange(is_no_route_done_, true)) return make_for_no_route();
  return std::nullopt;
}

Maker::Drafts Maker::make_ordinary() const {
  return {ordinary(Family::V4), ordinary(Family::V6)};
}

// ---- policies -----------------------------------------------------------------------

Maker::Drafts Maker::make_for_policy(std::uint32_t policy) {
  Drafts drafts;
  const auto& matches = snapshot_.policies[policy].match;
  if (matches.empty()) make_for_match(kAnyFlow, policy, drafts);
  for (const Match& match : matches) make_for_match(match, policy, drafts);
  return drafts;
}

// The flow that the match asks for, and that with each of its fields at each bound.
void Maker::make_for_match(const Match& match, std::uint32_t policy, Drafts& drafts) {
  const bool dry_run = snapshot_.policies[policy].dry_run;
  const Wanted meets = [policy, dry_run](const Decision& decision) {
    return dry_run ? decision.dry_run && (!decision.policy || *decision.policy > policy)
                   : decision.policy == policy;
  };
  bool is_met = false;
  for (const Family family : kFamilies) {
    const auto base = base_of(match, family);
    if (!base) continue;
    drafts.push_back(*base);
    is_met = is_met || meets(decide(*base));
    for (const Criterion& criterion : match)
      for (const FieldValue& value : values_.at_bounds(criterion)) {
        Draft draft = *base;
        if (!values_.put(value, draft)) continue;
        drafts.push_back(draft);
        is_met = is_met || (passes(match, draft) && meets(decide(draft)));
      }
  }
  if (is_met) return;
  if (auto found = search({&match}, meets)) drafts.push_back(std::move(*found));
}

// A flow that passes; nullopt where none was found.
std::optional<Draft> Maker::base_of(const Match& match, Family family) const {
  Draft draft = ordinary(family);
  for (const bool first : {true, false})
    for (const Criterion& criterion : match)
      if (comes_first(criterion) == first && !settle(criterion, draft)) return std::nullopt;
  return passes(match, draft) ? std::optional(draft) : std::nullopt;
}

// Makes the flow pass the criterion.
bool Maker::settle(const Criterion& criterion, Draft& draft) const {
  if (passes(criterion, draft)) return true;
  for (const FieldValue& value : values_.at_bounds(criterion)) {
    Draft changed = draft;
    if (!values_.put(value, changed) || !passes(criterion, changed)) continue;
    draft = changed;
    return true;
  }
  return false;
}

// ---- tables -------------------------------------------------------------------------

// Flows to the first and the last address of the prefix, and to those beside it; or,
// where longer prefixes have those, to one between them.
Maker::Drafts Maker::make_for_tier(std::uint32_t table, const Table::Tier& tier) {
  Drafts drafts;
  auto draft = find_for_tier(table, tier);
  if (!draft) return drafts;
  share_out(table, tier, *draft, drafts);
  const Prefix& prefix = snapshot_.tables[table].routes()[tier.first].prefix;
  for (const auto& address : {std::optional(prefix.first()), std::optional(prefix.last()),
                              before(prefix.first()), behind(prefix.last())}) {
    if (!address) continue;
    draft->flow.tuple.destination = *address;
    drafts.push_back(*draft);
  }
  return drafts;
}

std::optional<Draft> Maker::find_for_tier(std::uint32_t table, const Table::Tier& tier) {
  const Table& routes = snapshot_.tables[table];
  const Family family = routes.routes()[tier.first].prefix.address.family;
  const Wanted meets = [&](const Decision& decision) {
    return decision.table == table && decision.route &&
           routes.tier_of(*decision.route).first == tier.first;
  };
  const std::vector<Address> addresses = addresses_of(routes, tier);
  for (Draft& draft : pioneers_) {
    if (draft.flow.family() != family) continue;
    for (const Address& address : addresses) {
      draft.flow.tuple.destination = address;
      if (meets(decide(draft))) return draft;
    }
  }
  auto found = search(carriers_, meets, [&](Draft& draft) {
    if (draft.flow.family() == family)
      draft.flow.tuple.destination = addresses[random_() % addresses.size()];
  });
  if (found && pioneers_.size() < kPioneersMax) pioneers_.push_back(*found);
  return found;
}

// Addresses of the prefix: its first and its last, and the first that is in no longer one.
std::vector<Address> Maker::addresses_of(const Table& table, const Table::Tier& tier) const {
  const auto routes = table.routes();
  const Prefix& prefix = routes[tier.first].prefix;
  std::vector<Address> addresses = {prefix.first(), prefix.last()};
  std::optional<Address> free = prefix.first();
  for (std::size_t i = tier.first + tier.count; i < routes.size() && free; ++i) {
    const Prefix& inner = routes[i].prefix;  // in their order, an outer one before others
    if (inner == prefix) continue;           // of another metric
    if (*free < inner.first()) break;
    if (*free <= inner.last()) free = behind(inner.last());
  }
  if (free && prefix.contains(*free)) addresses.push_back(*free);
  return addresses;
}

// Flows that differ in their source port, so that each route of the tier gets one.
void Maker::share_out(std::uint32_t table, const Table::Tier& tier, Draft draft,
                      Drafts& drafts) const {
  constexpr std::uint32_t kTries = 4'096;
  drafts.push_back(draft);
  if (tier.count == 1 || !draft.flow.has_ports) return;
  std::set<std::uint32_t> met;
  for (std::uint32_t i = 0; i < kTries && met.size() < tier.count; ++i) {
    draft.flow.tuple.source_port = static_cast<std::uint16_t>(40'000 + i);
    const Decision decision = decide(draft);
    if (decision.table == table && decision.route && met.insert(*decision.route).second)
      drafts.push_back(draft);
  }
}

Maker::Drafts Maker::make_for_default(std::uint32_t table) {
  const auto found = search(carriers_, [table](const Decision& decision) {
    return decision.table == table && !decision.route;
  });
  return found ? Drafts{*found} : Drafts{};
}

Maker::Drafts Maker::make_for_no_route() {
  const auto found = search(
      {&kAnyFlow}, [](const Decision& decision) { return !decision.policy && !decision.table; });
  return found ? Drafts{*found} : Drafts{};
}

void Maker::enter_table() {
  route_ = 0;
  carriers_ = {&kAnyFlow};
  for (const Policy& policy : snapshot_.policies)
    if (policy.aim.table == table_)
      for (const Match& match : policy.match)
        if (carriers_.size() < kCarriersMax) carriers_.push_back(&match);
  pioneers_.clear();
  for (const Match* carrier : carriers_)
    for (const Family family : kFamilies)
      if (auto draft = base_of(*carrier, family)) pioneers_.push_back(std::move(*draft));
}

// ---- the search ---------------------------------------------------------------------

template <typename Change>
std::optional<Draft> Maker::search(const std::vector<const Match*>& carriers, const Wanted& wanted,
                                   Change change) {
  constexpr int kSteps = 16;
  for (int i = 0; i < patience_; ++i) {
    const Match& carrier = *carriers[random_() % carriers.size()];
    Draft draft = draw(carrier);
    change(draft);
    if (!passes(carrier, draft)) continue;
    for (int step = 0; step < kSteps; ++step) {
      const Decision decision = decide(draft);
      if (wanted(decision)) return draft;
      if (!decision.policy || !step_aside(*decision.policy, carrier, draft)) break;
    }
  }
  return std::nullopt;
}

// Changes one field so that the policy's match does not hold as it did, and the
// carrier's still does.
bool Maker::step_aside(std::uint32_t policy, const Match& carrier, Draft& draft) {
  constexpr int kTries = 8;
  const auto& matches = snapshot_.policies[policy].match;
  const auto holds =
      std::ranges::find_if(matches, [&](const Match& match) { return passes(match, draft); });
  if (holds == matches.end() || holds->empty()) return false;
  for (int i = 0; i < kTries; ++i) {
    const Criterion& criterion = (*holds)[random_() % holds->size()];
    const auto& values = pool_.at(criterion.field);
    Draft changed = draft;
    if (!values_.put(values[random_() % values.size()], changed) || passes(criterion, changed) ||
        !passes(carrier, changed))
      continue;
    draft = changed;
    return true;
  }
  return false;
}

std::optional<Draft> Maker::search(const std::vector<const Match*>& carriers,
                                   const Wanted& wanted) {
  return search(carriers, wanted, [](Draft&) {});
}

// A flow with some of its fields as the match or another rule has them at a bound.
Draft Maker::draw(const Match& match) {
  const Family family = kFamilies[random_() % 2];
  const auto base = base_of(match, family);
  Draft draft = base ? *base : ordinary(family);
  const std::uint64_t eagerness = 1 + random_() % 7;
  for (const auto& [field, values] : pool_)
    if (random_() % 8 < eagerness) values_.put(values[random_() % values.size()], draft);
  for (const bool first : {true, false})
    for (const Criterion& criterion : match)
      if (comes_first(criterion) == first) settle(criterion, draft);
  return draft;
}

// Of every field of a flow there is something in the pool.
void Maker::gather_pool() {
  for (const Policy& policy : snapshot_.policies)
    for (const Match& match : policy.match)
      for (const Criterion& criterion : match)
        for (const FieldValue& value : values_.at_bounds(criterion)) add_to_pool(value);
  const Field* const destination = find_field("daddr");
  for (const Table& table : snapshot_.tables)
    for (const Route& route : table.routes())
      for (const auto& address : {before(route.prefix.first()), behind(route.prefix.last())})
        if (address) add_to_pool({destination, *address});
  for (const char* name : {"sport", "dport"})
    for (const std::uint32_t port : {1u, 1'024u, 33'333u, 65'535u})
      add_to_pool({find_field(name), port});
  for (const std::uint32_t protocol : {6u, 17u, 1u, 58u, 47u})
    add_to_pool({find_field("proto"), protocol});
  for (const char* name : {"saddr", "daddr"})
    for (const Address& address : {Address::v4(0xc633'6401), Address::v6(0x2001'0db8'fffd'0000, 1)})
      add_to_pool({find_field(name), address});
}

// Of very many each is as likely to be kept (reservoir sampling, Vitter's algorithm R,
// with a step that is drawn from all that are kept so far).
void Maker::add_to_pool(const FieldValue& value) {
  auto& values = pool_[value.field];
  if (values.size() < kPoolMax)
    values.push_back(value);
  else
    values[random_() % kPoolMax] = value;
}

// ---- the oracle -----------------------------------------------------------------------

bool Maker::passes(const Match& match, const Draft& draft) const {
  const Activity& activity = situation_of(draft.at).activity;
  return matches(match, subject_of(snapshot_, activity, draft.flow));
}

bool Maker::passes(const Criterion& criterion, const Draft& draft) const {
  const Activity& activity = situation_of(draft.at).activity;
  return criterion.matches(subject_of(snapshot_, activity, draft.flow));
}

Decision Maker::decide(const Draft& draft) const {
  return nfsteer::decide(snapshot_, situation_of(draft.at), draft.flow, Turn::Peek);
}

// Only the activity differs from time to time.
const Situation& Maker::situation_of(Time time) const {
  const auto found = situations_.find(time);
  if (found != situations_.end()) return found->second;
  Situation made = situations_.empty() ? situation_at(snapshot_, time)
                                       : Situation{activity_at(snapshot_, time),
                                                   situations_.begin()->second.lineups};
  return situations_.emplace(time, std::move(made)).first->second;
}

}  // namespace nfsteer
