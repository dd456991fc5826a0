// Two rehearsals of the same flows side by side. What has the same name in both
// configurations is the same.
#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "changed_group.hpp"
#include "nfsteer/replay.hpp"

namespace nfsteer {
namespace {

std::string_view name_of(const Group& group) {
  return group.name;
}
std::string_view name_of(const Policy& policy) {
  return policy.name;
}
std::string_view name_of(const Table& table) {
  return table.name();
}

// The index of each element of `before` among those of `after`, by name.
template <typename T>
std::vector<OptionalIndex> same_names(const std::vector<T>& before, const std::vector<T>& after) {
  std::unordered_map<std::string_view, std::uint32_t> indexes;
  for (std::uint32_t i = 0; i < after.size(); ++i) indexes.emplace(name_of(after[i]), i);
  std::vector<OptionalIndex> same;
  for (const T& each : before) {
    const auto found = indexes.find(name_of(each));
    same.push_back(found == indexes.end() ? OptionalIndex() : OptionalIndex(found->second));
  }
  return same;
}

OptionalIndex mapped(const std::vector<OptionalIndex>& same, OptionalIndex index) {
  return index ? same[*index] : OptionalIndex();
}

// The index that `before` maps to is that of `after`, or there is none in either.
bool is_same(const std::vector<OptionalIndex>& same, OptionalIndex before, OptionalIndex after) {
  return before.has_value() == after.has_value() && mapped(same, before) == after;
}

class Comparer {
 public:
  Comparer(Rehearsal& before, Rehearsal& after)
      : before_(before),
        after_(after),
        old_(before.snapshot()),
        new_(after.snapshot()),
        groups_(same_names(old_.groups, new_.groups)),
        policies_(same_names(old_.policies, new_.policies)),
        tables_(same_names(old_.tables, new_.tables)),
        shared_(old_.groups.size()) {}

  bool decide(const FlowEvent& event, const EachMove& each);
  void end(std::uint32_t number) {
    before_.end(number);
    after_.end(number);
  }
  Comparison finish();

 private:
  // One side of a move: action, group, server, policy, table and route.
  using Half = std::array<std::uint32_t, 6>;
  using Halves = std::pair<Half, Half>;

  static Half half_of(const Decision& decision, bool with_server);
  bool is_same_place(const Decision& from, const Decision& to, bool with_server) const;
  bool is_same_server(ServerId from, ServerId to) const;
  bool is_same_rule(const Decision& from, const Decision& to) const;
  void add_move(const FlowEvent& event, const Halves& halves, NamedDecision from, NamedDecision to);

  Rehearsal& before_;
  Rehearsal& after_;
  const Snapshot& old_;
  const Snapshot& new_;
  const std::vector<OptionalIndex> groups_, policies_, tables_;
  std::vector<std::uint64_t> shared_;  // by old group: flows whose servers are not compared
  std::map<Halves, Move> moves_;
  Comparison made_;
};

bool Comparer::decide(const FlowEvent& event, const EachMove& each) {
  const Decision from = before_.decide(event);
  const Decision to = after_.decide(event);
  const Family family = event.flow->family();
  const bool old_fixed = from.group && before_.is_fixed(*from.group, family);
  const bool new_fixed = to.group && after_.is_fixed(*to.group, family);
  const bool with_server = old_fixed && new_fixed;
  ++made_.flows;
  if (is_same_place(from, to, with_server)) {
    if (!is_same_rule(from, to)) ++made_.rerouted;
    if (from.group && !with_server) ++shared_[*from.group];
    return true;
  }
  ++made_.moved;
  NamedDecision old_name = named(old_, from, old_fixed), new_name = named(new_, to, new_fixed);
  const bool go_on = each(event, old_name, new_name);
  add_move(event, {half_of(from, old_fixed), half_of(to, new_fixed)}, std::move(old_name),
           std::move(new_name));
  return go_on;
}

Comparer::Half Comparer::half_of(const Decision& decision, bool with_server) {
  const auto number = [](OptionalIndex index) { return index ? *index + 1 : 0; };
  return {static_cast<std::uint32_t>(decision.action),
          number(decision.group),
          with_server ? decision.server : 0u,
          number(decision.policy),
          number(decision.table),
          number(decision.route)};
}

bool Comparer::is_same_place(const Decision& from, const Decision& to, bool with_server) const {
  return from.action == to.action && is_same(groups_, from.group, to.group) &&
         (!with_server || is_same_server(from.server, to.server));
}

bool Comparer::is_same_server(ServerId from, ServerId to) const {
  const Server &a = *old_.servers[from], &b = *new_.servers[to];
  return std::tie(a.name, a.address, a.port) == std::tie(b.name, b.address, b.port);
}

bool Comparer::is_same_rule(const Decision& from, const Decision& to) const {
  if (!is_same(policies_, from.policy, to.policy) || !is_same(tables_, from.table, to.table) ||
      from.route.has_value() != to.route.has_value())
    return false;
  if (!from.route) return true;
  const Route& a = old_.tables[*from.table].routes()[*from.route];
  const Route& b = new_.tables[*to.table].routes()[*to.route];
  return std::tie(a.prefix, a.metric) == std::tie(b.prefix, b.metric);
}

void Comparer::add_move(const FlowEvent& event, const Halves& halves, NamedDecision from,
                        NamedDecision to) {
  auto found = moves_.find(halves);
  if (found == moves_.end()) {
    if (moves_.size() >= kMovesMax) {
      ++made_.moved_unlisted;
      return;
    }
    found = moves_
                .emplace(halves,
                         Move{0, std::move(from), std::move(to), flow_text(*event.flow), event.at})
                .first;
  }
  ++found->second.flows;
}

Comparison Comparer::finish() {
  for (auto& [halves, move] : moves_) made_.moves.push_back(std::move(move));
  std::ranges::stable_sort(made_.moves, std::greater(), &Move::flows);
  for (std::size_t i = 0; i < shared_.size(); ++i) {
    if (shared_[i] == 0) continue;
    auto changes = changes_between(old_.groups[i], new_.groups[*groups_[i]]);
    if (!changes.empty())
      made_.changed.push_back({old_.groups[i].name, std::move(changes), shared_[i]});
  }
  made_.before = before_.report();
  made_.after = after_.report();
  return std::move(made_);
}

}  // namespace

Comparison compare(FlowSource& flows, Rehearsal& before, Rehearsal& after, const EachMove& each) {
  Comparer comparer(before, after);
  while (const auto event = flows.next()) {
    if (!event->flow)
      comparer.end(event->number);
    else if (!comparer.decide(*event, each))
      break;
  }
  return comparer.finish();
}

}  // namespace nfsteer
