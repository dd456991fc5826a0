#include "changed_group.hpp"

#include <map>
#include <string_view>

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

using Changes = std::vector<std::string>;
using Servers = std::map<std::string_view, const Server*>;

Servers servers_of(const Group& group) {
  Servers servers;
  for (const Pool* pool : {&group.v4, &group.v6})
    for (const Server& server : pool->servers) servers.emplace(server.name, &server);
  return servers;
}

std::string endpoint_text(const Server& server) {
  const std::string address = to_string(server.address);
  if (!server.port) return address;
  return server.address.family == Family::V6 ? format("[{}]:{}", address, *server.port)
                                             : format("{}:{}", address, *server.port);
}

void compare_servers(const Server& before, const Server& after, Changes& changes) {
  const auto compare = [&](const char* what, const auto& was, const auto& is) {
    if (was != is) changes.push_back(format("{} has {} {}, not {}", after.name, what, is, was));
  };
  compare("address", endpoint_text(before), endpoint_text(after));
  compare("weight", before.weight, after.weight);
  compare("max_connections", before.max_connections, after.max_connections);
  compare("priority", before.priority, after.priority);
  compare("backup", before.backup, after.backup);
  compare("state", std::string_view(name(before.state)), std::string_view(name(after.state)));
}

}  // namespace

Changes changes_between(const Group& before, const Group& after) {
  Changes changes;
  if (before.algorithm != after.algorithm)
    changes.push_back(format("its algorithm is {}, not {}", after.algorithm, before.algorithm));
  const Servers old_servers = servers_of(before), new_servers = servers_of(after);
  for (const auto& [name, server] : old_servers) {
    const auto found = new_servers.find(name);
    if (found == new_servers.end())
      changes.push_back(format("{} is gone", name));
    else
      compare_servers(*server, *found->second, changes);
  }
  for (const auto& [name, server] : new_servers)
    if (!old_servers.contains(name)) changes.push_back(format("{} is new", name));
  return changes;
}

}  // namespace nfsteer
