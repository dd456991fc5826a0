// Makes up flows that meet the rules of one snapshot, rule by rule.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "draft.hpp"
#include "nfsteer/policy.hpp"

namespace nfsteer {

// For each rule the flows at its bounds; where none of them meets it, as other rules are
// asked before, a search for one that does: flows by lot, which then step aside from one
// policy after the other that takes them (as WalkSAT does: Selman, Kautz, Cohen, 1994).
class Maker {
 public:
  // The snapshot outlives it.
  explicit Maker(const Snapshot& snapshot);

  // The flows of the next rule; nullopt when there are no more rules.
  std::optional<std::vector<Draft>> next();

 private:
  using Wanted = std::function<bool(const Decision&)>;
  using Drafts = std::vector<Draft>;

  Drafts make_ordinary() const;
  Drafts make_for_policy(std::uint32_t policy);
  void make_for_match(const Match& match, std::uint32_t policy, Drafts& drafts);
  Drafts make_for_tier(std::uint32_t table, const Table::Tier& tier);
  std::optional<Draft> find_for_tier(std::uint32_t table, const Table::Tier& tier);
  void share_out(std::uint32_t table, const Table::Tier& tier, Draft draft, Drafts& drafts) const;
  Drafts make_for_default(std::uint32_t table);
  Drafts make_for_no_route();

  std::optional<Draft> base_of(const Match& match, Family family) const;
  bool settle(const Criterion& criterion, Draft& draft) const;
  template <typename Change>
  std::optional<Draft> search(const std::vector<const Match*>& carriers, const Wanted& wanted,
                              Change change);
  std::optional<Draft> search(const std::vector<const Match*>& carriers, const Wanted& wanted);
  Draft draw(const Match& match);
  bool step_aside(std::uint32_t policy, const Match& carrier, Draft& draft);
  void enter_table();
  std::vector<Address> addresses_of(const Table& table, const Table::Tier& tier) const;
  void gather_pool();
  void add_to_pool(const FieldValue& value);

  bool passes(const Match& match, const Draft& draft) const;
  bool passes(const Criterion& criterion, const Draft& draft) const;
  Decision decide(const Draft& draft) const;
  const Situation& situation_of(Time time) const;

  const Snapshot& snapshot_;
  const Values values_;
  std::mt19937_64 random_;                                // of a fixed seed
  std::map<const Field*, std::vector<FieldValue>> pool_;  // values at bounds of any rule
  int patience_;                                          // tries for a rule
  mutable std::map<Time, Situation> situations_;

  // Of the table at work: what flows may be like for which it is asked, any or as
  // policies want them, and flows that may get there.
  std::vector<const Match*> carriers_;
  Drafts pioneers_;

  // The next rule.
  bool is_begun_ = false;
  std::uint32_t policy_ = 0, table_ = 0, route_ = 0;
  bool is_table_entered_ = false, is_default_done_ = false, is_no_route_done_ = false;
};

}  // namespace nfsteer
