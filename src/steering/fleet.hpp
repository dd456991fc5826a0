// The servers of a snapshot at a time: what people set of them, how they are, since
// when; and the lineups that follow.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "nfsteer/failover.hpp"
#include "nfsteer/steering.hpp"
#include "uptimes.hpp"

namespace nfsteer {

// The control thread's. Every snapshot is the one of the last enlist().
class Fleet {
 public:
  using Instant = FailoverBoard::Instant;

  explicit Fleet(Gauges& gauges) : gauges_(gauges) {}

  // From now on these are the servers, and what people set of them.
  void enlist(const Snapshot& snapshot, Instant now, Time clock);
  void set_overrides(const Snapshot& snapshot, Overrides overrides, Instant now, Time clock);
  const Overrides& overrides() const noexcept { return overrides_; }

  // What the check of the server says, as FailoverBoard has it.
  void set_check(const Server& server, std::optional<bool> is_up, const std::string& reason,
                 Instant now) {
    board_.set_check(server.identity, is_up, reason, now);
  }
  void pass(const Server& server, Instant when, Instant now) {
    board_.pass(server.identity, when, now);
  }
  void fail_back(const std::string& group) { board_.fail_back(group); }
  // Judges the servers whose flows failed, and ends ejections. Returns when to call it
  // again at the latest.
  Instant advance(Instant now);

  // The groups whose lineups are not what they were at the last call.
  std::set<std::size_t> take_changed(const Snapshot& snapshot, Time clock);
  std::shared_ptr<const Lineup> line_up(const Snapshot& snapshot, std::size_t group,
                                        Time clock) const;

  ServerState state_of(const Server& server) const { return stands_[server.id].state; }
  std::uint32_t weight_of(const Server& server) const { return stands_[server.id].weight; }
  const Algorithm& algorithm_of(const Group& group) const;
  const TierPlan& plan_of(std::size_t group, Family family) const {
    return board_.plan(pool_of(group, family));
  }
  FailoverBoard& board() noexcept { return board_; }
  const FailoverBoard& board() const noexcept { return board_; }
  Uptimes& uptimes() noexcept { return uptimes_; }

 private:
  // What holds of a server, beside its health.
  struct Stand {
    const Server* server = nullptr;
    ServerState state = ServerState::Up;
    std::uint32_t weight = 1;
    std::size_t pool = 0;    // of the board
    std::size_t member = 0;  // of the pool
    std::size_t tier = 0;
    bool is_watched = false;  // its failures count
  };

  // Of each group the servers of IPv4, then those of IPv6.
  static std::size_t pool_of(std::size_t group, Family family) {
    return 2 * group + (family == Family::V4 ? 0 : 1);
  }
  void stand(const Snapshot& snapshot);
  Stand stand_of(const Group& group, const Server& server) const;
  void set_pools(const Snapshot& snapshot, Instant now);
  void close_servers();
  bool takes(const Server& server) const;
  Standing standing_of(const Group& group, const Server& server, Time clock) const;
  LineupPlan plan(const Snapshot& snapshot, std::size_t group, Family family, Time clock) const;

  Gauges& gauges_;
  Overrides overrides_;
  FailoverBoard board_;
  Uptimes uptimes_;
  std::vector<Stand> stands_;  // by server id
};

}  // namespace nfsteer
