#include "ids.hpp"

#include <algorithm>
#include <cassert>

#include "nfsteer/base/mix.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {

ServerIdentity identity_of(const GroupConfig& group, const ServerConfig& server) {
  return {format("{}/{}", group.name, server.name), server.address, server.port};
}

std::uint64_t hash_of(const ServerIdentity& identity) noexcept {
  // FNV-1a (draft-eastlake-fnv), 64 bits, over the name; then the numbers.
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
  for (const char each : identity.name)
    hash = (hash ^ static_cast<unsigned char>(each)) * 0x100'0000'01b3;
  const auto& [family, high, low] = identity.address;
  for (const std::uint64_t word :
       {static_cast<std::uint64_t>(family), high, low, std::uint64_t{identity.port.value_or(0)}})
    hash = mix(hash ^ mix(word + kGolden));
  return hash;
}

bool knows_all(const KnownIds& known, const std::vector<GroupConfig>& groups) {
  return std::ranges::all_of(groups, [&known](const GroupConfig& group) {
    return std::ranges::all_of(group.servers, [&](const ServerConfig& server) {
      return known.servers.contains(identity_of(group, server));
    });
  });
}

Ids::Ids(const std::vector<GroupConfig>& groups, const MarkLayout& layout, const KnownIds& known)
    : max_(layout.server_max()) {
  for (const GroupConfig& group : groups)
    for (const ServerConfig& server : group.servers) keep(identity_of(group, server), known);
  for (const GroupConfig& group : groups)
    for (const ServerConfig& server : group.servers) give(identity_of(group, server), known);
}

void Ids::keep(const ServerIdentity& identity, const KnownIds& known) {
  const auto found = known.servers.find(identity);
  if (found == known.servers.end() || found->second == 0 || found->second > max_) return;
  if (taken_.insert(found->second).second) ids_[identity] = found->second;
}

void Ids::give(const ServerIdentity& identity, const KnownIds& known) {
  if (ids_.contains(identity)) return;
  const ServerId id = lowest_free(known.in_use).value_or(lowest_free({}).value_or(0));
  assert(id != 0 && "validate() counted the servers");
  taken_.insert(id);
  ids_[identity] = id;
}

std::optional<ServerId> Ids::lowest_free(const std::set<ServerId>& avoid) {
  ServerId& from = avoid.empty() ? free_from_ : free_from_avoiding_;
  for (; from <= max_; ++from)
    if (!taken_.contains(from) && !avoid.contains(from)) return from;
  return std::nullopt;
}

}  // namespace nfsteer
