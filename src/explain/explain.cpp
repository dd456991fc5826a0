// The way of a flow, looked at a second time: decide() gives the answer, and the
// trace goes the same way with Criterion::matches() and tells what it meets.
#include "nfsteer/explain.hpp"

#include <algorithm>
#include <cassert>

#include "criterion_text.hpp"
#include "kernel.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

constexpr const char* kTaken = "taken";
constexpr const char* kPassedOver = "passed over";

const char* family_name(const Flow& flow) noexcept {
  return flow.family() == Family::V4 ? "IPv4" : "IPv6";
}

// ---- where the flow can go --------------------------------------------------------

// What each place has for a flow, when one group is left out of account.
class Places {
 public:
  Places(const Snapshot& snapshot, const Situation& situation, const Flow& flow,
         OptionalIndex without = {})
      : snapshot_(snapshot), situation_(situation), flow_(flow), without_(without) {}

  bool is_usable(std::uint32_t group) const {
    return group != without_ && situation_.lineups[group]->side(flow_.family()).is_usable();
  }
  bool is_usable(const Route& route) const {
    return route.action != Action::Steer || is_usable(route.group);
  }
  bool is_usable(const Policy& policy) const {
    if (policy.aim.group) return is_usable(*policy.aim.group);
    if (policy.aim.table) return takes(snapshot_.tables[*policy.aim.table]);
    return true;
  }
  bool takes(const Table& table) const {
    return route_in(table) || (table.default_group() && is_usable(*table.default_group()));
  }
  // The route of the table that the flow takes.
  std::optional<std::uint32_t> route_in(const Table& table) const {
    const auto usable = [this](const Route& route) { return is_usable(route); };
    const std::uint64_t flow_hash = hash(flow_.tuple, snapshot_.engine.hash_seed);
    for (auto tier = table.best(flow_.tuple.destination); tier.count > 0;
         tier = table.next_best(tier))
      if (const auto chosen = table.choose(tier, flow_hash, usable)) return chosen;
    return std::nullopt;
  }

 private:
  const Snapshot& snapshot_;
  const Situation& situation_;
  const Flow& flow_;
  const OptionalIndex without_;
};

// ---- the way ------------------------------------------------------------------------

class Trace {
 public:
  Trace(const Snapshot& snapshot, const Situation& situation, const Flow& flow, Time at,
        std::uint32_t now_s)
      : snapshot_(snapshot),
        situation_(situation),
        flow_(flow),
        now_s_(now_s),
        subject_(subject_of(snapshot, situation.activity, flow)),
        meaning_{snapshot, at},
        places_(snapshot, situation, flow),
        decision_(decide(snapshot, situation, flow, Turn::Peek, now_s)) {}

  Explanation run() {
    tell_answer();
    try_policies();
    tell_policies();
    if (!decision_.policy)
      tell_tables();
    else if (const auto table = snapshot_.policies[*decision_.policy].aim.table)
      tell_table(*table);
    if (decision_.action == Action::Steer) {
      tell_server();
      tell_otherwise();
    }
    return std::move(made_);
  }

 private:
  enum class Outcome : std::uint8_t { NoMatch, Counted, PassedOver, Taken };
  struct Next {
    std::string place;  // "route 10.0.0.0/8 of main"
    std::string leads;  // "metric 0, to group web"
  };

  void tell_answer();
  void try_policies();
  Outcome outcome_of(const Policy& policy) const;
  void tell_policies();
  void tell_policy(std::uint32_t index);
  void tell_tables();
  void tell_table(std::uint32_t index);
  bool tell_tier(const Table& table, const Table::Tier& tier, OptionalIndex chosen);
  void tell_no_route();
  void tell_server();
  void tell_absences(const Lineup::Side& side);
  void tell_otherwise();

  void add(const char* kind, std::string name, const char* outcome, std::string why = {}) {
    made_.steps.push_back({kind, std::move(name), outcome, std::move(why)});
  }
  // Of the steps that lead nowhere the first are told, the others counted.
  void add_lesser(const char* kind, std::string name, const char* outcome, std::string why) {
    if (lesser_++ < kRouteStepsMax)
      add(kind, std::move(name), outcome, std::move(why));
    else
      ++made_.routes_left_out;
  }
  std::string no_server(std::uint32_t group) const {
    const Group& asked = snapshot_.groups[group];
    return format("group {} has no {} server{}", asked.name, family_name(flow_),
                  asked.pool(flow_.family()).servers.empty() ? "" : " that may take flows now");
  }
  std::string route_text(const Route& route) const;
  std::string holding_text(const Policy& policy) const;
  Next otherwise(const Places& places) const;

  const Snapshot& snapshot_;
  const Situation& situation_;
  const Flow& flow_;
  const std::uint32_t now_s_;
  const Subject subject_;
  const Meaning meaning_;
  const Places places_;
  const Decision decision_;
  std::vector<Outcome> tried_;  // by policy, up to the one that took the flow
  std::size_t lesser_ = 0;
  Explanation made_;
};

void Trace::tell_answer() {
  const MarkLayout& layout = snapshot_.engine.mark;
  made_.flow = flow_text(flow_);
  made_.at = to_utc_string(meaning_.at);
  made_.action = name(decision_.action);
  made_.mark = mark_bits(layout, decision_);
  made_.mark_mask = layout.mask;
  made_.kernel = kernel_text(snapshot_, flow_, decision_);
  if (decision_.policy) made_.policy = snapshot_.policies[*decision_.policy].name;
  if (decision_.failed_group) made_.failed_group = snapshot_.groups[*decision_.failed_group].name;
  if (decision_.table) {
    const Table& table = snapshot_.tables[*decision_.table];
    made_.table = table.name();
    if (decision_.route) {
      const Route& route = table.routes()[*decision_.route];
      made_.route = {to_string(route.prefix), route.metric, route.weight};
    }
  }
  if (decision_.action != Action::Steer) return;
  const Server& server = *snapshot_.servers[decision_.server];
  made_.group = snapshot_.groups[*decision_.group].name;
  made_.server = format("{}/{}", *made_.group, server.name);
  made_.address = to_string(server.address);
  if (flow_.has_ports) made_.port = server.port.value_or(flow_.tuple.destination_port);
}

// ---- policies -----------------------------------------------------------------------

Trace::Outcome Trace::outcome_of(const Policy& policy) const {
  const bool holds = policy.match.empty() ||
                     std::any_of(policy.match.begin(), policy.match.end(),
                                 [&](const Match& match) { return matches(match, subject_); });
  if (!holds) return Outcome::NoMatch;
  if (policy.dry_run) return Outcome::Counted;
  return places_.is_usable(policy) ? Outcome::Taken : Outcome::PassedOver;
}

void Trace::try_policies() {
  for (const Policy& policy : snapshot_.policies) {
    tried_.push_back(outcome_of(policy));
    if (tried_.back() == Outcome::Taken) break;
  }
  const bool taken = !tried_.empty() && tried_.back() == Outcome::Taken;
  assert(taken == decision_.policy.has_value());
  assert(!taken || *decision_.policy == tried_.size() - 1);
}

// The last of those that matched, and the last of those that did not.
void Trace::tell_policies() {
  std::vector<std::uint32_t> told;
  std::size_t matched = 0, unmatched = 0;
  for (auto i = static_cast<std::uint32_t>(tried_.size()); i-- > 0;) {
    std::size_t& count = tried_[i] == Outcome::NoMatch ? unmatched : matched;
    if (count++ < kPolicyStepsMax) told.push_back(i);
  }
  for (auto i = told.rbegin(); i != told.rend(); ++i) tell_policy(*i);
  made_.policies_left_out = tried_.size() - told.size();
  made_.policies_not_reached = snapshot_.policies.size() - tried_.size();
}

void Trace::tell_policy(std::uint32_t index) {
  constexpr const char* kKind = "policy";
  const Policy& policy = snapshot_.policies[index];
  switch (tried_[index]) {
    case Outcome::NoMatch:
      return add(kKind, policy.name, "no match", why_not(policy, subject_, meaning_));
    case Outcome::Counted:
      return add(kKind, policy.name, "counted", "dry run, " + holding_text(policy));
    case Outcome::PassedOver:
      return add(kKind, policy.name, kPassedOver,
                 policy.aim.group ? no_server(*policy.aim.group)
                                  : format("table {} leads nowhere for it",
                                           snapshot_.tables[*policy.aim.table].name()));
    case Outcome::Taken:
      return add(kKind, policy.name, kTaken, holding_text(policy));
  }
}

// What of the policy holds.
std::string Trace::holding_text(const Policy& policy) const {
  if (policy.match.empty()) return text_of(Match(), meaning_);
  const auto holding = std::find_if(policy.match.begin(), policy.match.end(),
                                    [&](const Match& match) { return matches(match, subject_); });
  const std::string text = text_of(*holding, meaning_);
  return policy.match.size() == 1
             ? text
             : format("match {}: {}", holding - policy.match.begin() + 1, text);
}

// ---- tables -------------------------------------------------------------------------

void Trace::tell_tables() {
  for (std::uint32_t i = 0; i < snapshot_.tables.size(); ++i) {
    tell_table(i);
    if (decision_.table == i) return;
  }
  tell_no_route();
}

void Trace::tell_table(std::uint32_t index) {
  const Table& table = snapshot_.tables[index];
  const bool taken = decision_.table == index;
  const std::string about = format("priority {}, {}", table.priority(),
                                   counted(table.routes().size(), "route", "routes"));
  if (taken)
    add("table", table.name(), kTaken, about);
  else
    add_lesser("table", table.name(), "no route", about);
  for (auto tier = table.best(flow_.tuple.destination); tier.count > 0;
       tier = table.next_best(tier))
    if (tell_tier(table, tier, taken ? decision_.route : OptionalIndex())) return;
  if (const auto group = table.default_group()) {
    const std::string& name = snapshot_.groups[*group].name;
    if (taken)
      add("default", name, kTaken);
    else
      add_lesser("default", name, kPassedOver, no_server(*group));
  }
}

// Whether the flow goes by the tier; then `chosen` is its route in the table.
bool Trace::tell_tier(const Table& table, const Table::Tier& tier, OptionalIndex chosen) {
  bool taken = false;
  const std::string prefix = to_string(table.routes()[tier.first].prefix);
  for (std::uint32_t i = tier.first; i < tier.first + tier.count; ++i) {
    const Route& route = table.routes()[i];
    const bool usable = places_.is_usable(route);
    if (i == chosen)
      add("route", prefix, kTaken, route_text(route) + (route.shares ? ", by its hash" : ""));
    else
      add_lesser("route", prefix, usable ? "shares" : kPassedOver,
                 usable ? route_text(route) : no_server(route.group));
    taken |= usable;
  }
  return taken;
}

// "metric 10, weight 2, to group web".
std::string Trace::route_text(const Route& route) const {
  const std::string target = route.action == Action::Steer
                                 ? format("to group {}", snapshot_.groups[route.group].name)
                                 : name(route.action);
  return format("metric {}{}, {}", route.metric,
                route.shares ? format(", weight {}", route.weight) : "", target);
}

void Trace::tell_no_route() {
  constexpr const char* kKind = "on_no_route";
  const OptionalIndex group = snapshot_.no_route.group;
  if (!group) return add(kKind, name(snapshot_.no_route.action), kTaken);
  const std::string& group_name = snapshot_.groups[*group].name;
  if (places_.is_usable(*group)) return add(kKind, group_name, kTaken);
  add(kKind, group_name, kPassedOver, no_server(*group) + ": accepted as it is");
}

// ---- the choice ---------------------------------------------------------------------

void Trace::tell_server() {
  const Group& group = snapshot_.groups[*decision_.group];
  const Server& server = *snapshot_.servers[decision_.server];
  const Lineup& lineup = *situation_.lineups[*decision_.group];
  const Lineup::Side& side = lineup.side(flow_.family());
  add("group", group.name, kTaken,
      format("{} ({}), {} for {}{}", lineup.algorithm->name, lineup.algorithm->summary,
             counted(group.pool(flow_.family()).servers.size(), "server", "servers"),
             family_name(flow_), side.is_in_panic() ? ", in panic: health is ignored" : ""));
  tell_absences(side);
  const bool is_kept =
      group.affinity && group.affinity->find(flow_.tuple.source, now_s_) == server.id;
  add("server", *made_.server, kTaken,
      format("{}, weight {}{}{}", endpoint_text(server, flow_), side.find(server.id)->weight,
             server.backup ? ", backup" : "", is_kept ? ", this client's" : ""));
}

// The servers that the balancer does not have.
void Trace::tell_absences(const Lineup::Side& side) {
  const auto absences = side.absences();
  for (const auto& [server, why] : absences.first(std::min(absences.size(), kAbsencesMax)))
    add("server", format("{}/{}", *made_.group, snapshot_.servers[server]->name), "away", why);
  if (absences.size() > kAbsencesMax)
    add("server", format("and {} more", absences.size() - kAbsencesMax), "away");
}

// Where the flow would go without its group.
void Trace::tell_otherwise() {
  auto [next, leads] = otherwise(Places(snapshot_, situation_, flow_, decision_.group));
  add("otherwise", std::move(next), "next",
      format("if group {} had no {} server: {}", *made_.group, family_name(flow_), leads));
}

Trace::Next Trace::otherwise(const Places& places) const {
  const auto to_group = [&](std::uint32_t group) {
    return format("to group {}", snapshot_.groups[group].name);
  };
  const Classifier& classifier = snapshot_.classifier;
  for (auto found = classifier.first_match(subject_); found != Classifier::kNone;) {
    const Rule& rule = snapshot_.rules[found];
    const Policy& policy = snapshot_.policies[rule.policy];
    if (!policy.dry_run && places.is_usable(policy))
      return {format("policy {}", policy.name),
              policy.aim.group   ? to_group(*policy.aim.group)
              : policy.aim.table ? format("to table {}", snapshot_.tables[*policy.aim.table].name())
                                 : name(policy.aim.action)};
    found = classifier.first_match(subject_, rule.rules_end);
  }
  for (const Table& table : snapshot_.tables) {
    if (const auto route = places.route_in(table))
      return {format("route {} of {}", to_string(table.routes()[*route].prefix), table.name()),
              route_text(table.routes()[*route])};
    if (places.takes(table))
      return {format("default of {}", table.name()), to_group(*table.default_group())};
  }
  const OptionalIndex group = snapshot_.no_route.group;
  if (group && places.is_usable(*group)) return {"on_no_route", to_group(*group)};
  return {"on_no_route", name(group ? Action::Accept : snapshot_.no_route.action)};
}

}  // namespace

std::string flow_text(const Flow& flow) {
  std::string text = to_string(flow.tuple);
  const auto add = [&](const char* name, const std::string& value) {
    text += format(", {} {}", name, value);
  };
  if (flow.icmp_type) add("type", format("{}", *flow.icmp_type));
  if (flow.in_interface != kNoInterface) add("iif", interface_name(flow.in_interface));
  if (flow.out_interface != kNoInterface) add("oif", interface_name(flow.out_interface));
  if (flow.mark != 0) add("mark", format("{:#x}", flow.mark));
  if (flow.uid) add("uid", format("{}", *flow.uid));
  if (flow.gid) add("gid", format("{}", *flow.gid));
  return text;
}

Explanation explain(const Snapshot& snapshot, const Situation& situation, const Flow& flow, Time at,
                    std::uint32_t now_s) {
  return Trace(snapshot, situation, flow, at, now_s).run();
}

}  // namespace nfsteer
