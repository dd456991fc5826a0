// Which servers flows may go to, and which not any more, for threads that have no
// snapshot.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "nfsteer/steering.hpp"

namespace nfsteer {

// Any thread.
class ServerNames {
 public:
  // From now on there are the servers of the configuration in force; those of `known` and
  // of earlier calls are gone.
  void set(const Steering& steering, const KnownIds& known);
  // Servers of the same configuration are in another state.
  void update(const Steering& steering);

  // "its server web/a is gone", is in maintenance, or is down and has not answered the
  // flow; nullopt where flows may go there, and of ids that were never a server's:
  // somebody else may use the mark's bits.
  std::optional<std::string> why_stale(ServerId id, bool replied) const;

 private:
  struct Server {
    std::string name;
    const char* problem = nullptr;  // none: flows may go there
    bool keeps_answered = false;    // the problem is none of flows that it has answered
  };
  void read(const Steering& steering);

  mutable std::mutex mutex_;
  std::map<ServerId, Server> servers_;
};

}  // namespace nfsteer
