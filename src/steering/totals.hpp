// Sums of what the deciders counted.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "nfsteer/steering.hpp"

namespace nfsteer {

// Indexes as in the snapshot that was counted under.
struct Totals {
  struct PolicyTotal {
    std::uint64_t packets = 0, bytes = 0, last = 0;  // as Tallies has them
  };
  struct RouteTotal {
    std::uint64_t packets = 0, bytes = 0;
  };
  struct GroupTotal {
    std::uint64_t requests = 0, failed = 0;
  };

  Zeros<PolicyTotal> policies;
  std::vector<Zeros<RouteTotal>> routes;
  std::vector<GroupTotal> groups;
  std::vector<std::uint64_t> selected;
  CacheCounts cache, route_cache;

  // All zero.
  explicit Totals(const Snapshot& snapshot);

  // What caches hold for another epoch than this they do not hold any more.
  void add(const Desks& desks, std::uint64_t epoch);
  void add(const Totals& other);
  // `earlier` are sums of the same counters.
  void subtract(const Totals& earlier);

  // The sums of `from` under the names that `to` has for the same things; the
  // rest is left out.
  Totals renamed(const Snapshot& from, const Snapshot& to) const;
};

// Every route of the table.
std::vector<RouteStatistics> describe_routes(const Snapshot& snapshot, const Table& table,
                                             const Zeros<Totals::RouteTotal>& totals);

// The totals under the names of the snapshot. `clock_start` is when the deciders'
// clock showed 0.
Statistics describe(const Snapshot& snapshot, const Totals& totals, Time clock_start);
// Adds what `figures_of` has of each server.
void describe_traffic(const Snapshot& snapshot,
                      const std::function<ServerFigures(ServerId)>& figures_of, Time clock_start,
                      Statistics& statistics);

}  // namespace nfsteer
