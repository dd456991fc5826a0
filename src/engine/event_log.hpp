// Says what failures led to: one line a second at most of each server or group.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "nfsteer/failover.hpp"

namespace nfsteer {

// The control thread's.
class EventLog {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  // Logs each event whose subject was quiet for kInterval. Of the others the last one
  // is logged when the time has come, with how many there were.
  void add(std::vector<FailoverEvent> events, Instant now);
  // To be called a few times a second.
  void tick(Instant now);

  static constexpr std::chrono::seconds kInterval{1};

 private:
  struct Subject {
    Instant said;
    FailoverEvent last;
    std::size_t unsaid = 0;
  };

  static void say(Subject& subject, Instant now);

  std::map<std::string, Subject> subjects_;
};

}  // namespace nfsteer
