// Which servers there are, and were, for threads that have no snapshot.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "nfsteer/policy.hpp"

namespace nfsteer {

// Any thread.
class ServerNames {
 public:
  // From now on there are the servers of the snapshot; those of `known` and of
  // earlier calls are gone.
  void set(const Snapshot& snapshot, const KnownIds& known);

  // "its server web/a is gone"; nullopt where it is there.
  std::optional<std::string> why_gone(ServerId id) const;

 private:
  mutable std::mutex mutex_;
  std::map<ServerId, std::string> names_;  // also of those that are gone
  std::set<ServerId> present_;
};

}  // namespace nfsteer
