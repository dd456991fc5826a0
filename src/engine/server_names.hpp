// Which servers flows may go to, and which not any more, for threads that have no
// snapshot.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "nfsteer/policy.hpp"

namespace nfsteer {

// Any thread.
class ServerNames {
 public:
  // From now on there are the servers of the snapshot; those of `known` and of
  // earlier calls are gone.
  void set(const Snapshot& snapshot, const KnownIds& known);

  // "its server web/a is gone", or is in maintenance; nullopt where flows may go there,
  // and of ids that were never a server's: somebody else may use the mark's bits.
  std::optional<std::string> why_stale(ServerId id) const;

 private:
  struct Server {
    std::string name;
    const char* problem = nullptr;  // none: flows may go there
  };
  mutable std::mutex mutex_;
  std::map<ServerId, Server> servers_;
};

}  // namespace nfsteer
