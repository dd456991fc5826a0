// Since when servers take flows, and how much of their weight they take until
// they are warm.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "nfsteer/policy.hpp"

namespace nfsteer {

class Uptimes {
 public:
  // The servers of the snapshot that take flows do so from now on, if they did not
  // before. Those of the first snapshot count as warm: nobody knows better ones.
  void enlist(const Snapshot& snapshot, Time now, const std::function<bool(const Server&)>& takes);
  // To be called when the clock goes on, or is set, from one time to another: who is
  // warm stays warm.
  void advance(const Snapshot& snapshot, Time from, Time to);

  // What of its weight the server takes at that time: 0 where it takes none;
  // otherwise, in the group's slow start, linear from a tenth to 1.
  double portion(const Group& group, const Server& server, Time now) const;
  // Whether a server of the group is in its slow start.
  bool is_starting(const Group& group, Time now) const;

 private:
  std::map<std::uint64_t, Time> since_;  // by identity; Time::min(): warm
  bool is_first_ = true;
};

}  // namespace nfsteer
