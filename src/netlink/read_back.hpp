// What the kernel's maps say of the servers of an earlier run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "nfsteer/base/mark.hpp"
#include "nfsteer/policy.hpp"

struct nlmsghdr;

namespace nfsteer::netlink {

// An element of a map from marks, as it lies in the kernel.
struct MapElement {
  std::uint32_t mark = 0;
  std::vector<std::byte> data;
  std::string comment;

  friend bool operator==(const MapElement&, const MapElement&) = default;
};

// Takes up one message of the kernel's listing of a map.
// REQUIRES: message.nlmsg_len bytes are there
void read_elements(std::vector<MapElement>& elements, const nlmsghdr& message);

// What a set with keys of 4 bytes has in the kernel; where the ranges of a set of
// intervals begin, and (true) where they do not go on. Nothing where there is no such set.
std::vector<MapElement> elements_of(const std::string& set);
using Bound = std::pair<std::vector<std::byte>, bool>;
std::vector<Bound> bounds_of(const std::string& set);

// The two maps of a family: "server4", from marks to addresses with ports, and
// "server4_keep_port", to addresses.
struct ServerMaps {
  std::vector<MapElement> endpoints, addresses;
};
// Adds the servers that the maps have by the ids of `layout`.
void read_servers(const ServerMaps& maps, Family family, const MarkLayout& layout,
                  std::map<ServerIdentity, ServerId>& servers);

}  // namespace nfsteer::netlink
