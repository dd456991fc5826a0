// Which server gets which id.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "nfsteer/policy.hpp"

namespace nfsteer {

ServerIdentity identity_of(const GroupConfig& group, const ServerConfig& server);
// Equal on every machine.
std::uint64_t hash_of(const ServerIdentity& identity) noexcept;

// The ids of all servers of these groups.
class Ids {
 public:
  Ids(const std::vector<GroupConfig>& groups, const MarkLayout& layout, const KnownIds& known);

  ServerId of(const ServerIdentity& identity) const { return ids_.at(identity); }
  ServerId highest() const { return taken_.empty() ? ServerId{0} : *taken_.rbegin(); }

 private:
  void keep(const ServerIdentity& identity, const KnownIds& known);
  void give(const ServerIdentity& identity, const KnownIds& known);
  std::optional<ServerId> lowest_free(const std::set<ServerId>& avoid);

  std::uint32_t max_;
  std::map<ServerIdentity, ServerId> ids_;
  std::set<ServerId> taken_;
  ServerId free_from_ = 1, free_from_avoiding_ = 1;  // nothing below is free
};

}  // namespace nfsteer
