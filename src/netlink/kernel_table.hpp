// What the kernel has of our table.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "nfsteer/base/result.hpp"
#include "traits.hpp"

struct nlmsghdr;

namespace nfsteer::netlink {

struct KernelChain {
  // Where a base chain is called, as Place has it.
  struct Hooked {
    std::string type;
    std::uint32_t hook_number = 0;
    std::int32_t priority = 0;
  };

  std::string name;
  std::optional<Hooked> place;
};

struct KernelSet {
  std::string name;
  std::uint32_t key_bytes = 0;
  bool is_map = false;
  std::uint32_t data_type = 0;  // of a map: nft's number
  std::uint32_t data_bytes = 0;
  bool intervals = false;
};

struct KernelTable {
  std::vector<KernelChain> chains;
  std::vector<KernelSet> sets;  // that have a name
};

// The table, without rules and elements; empty where there is none.
Result<KernelTable> read_table();

// What the rules of each chain are known by.
Result<std::map<std::string, Traits>> read_traits();

// Take up one message of the kernel's listings of all tables.
// REQUIRES: message.nlmsg_len bytes are there
void read_chain(std::vector<KernelChain>& chains, const nlmsghdr& message);
void read_set(std::vector<KernelSet>& sets, const nlmsghdr& message);

// The one of that name, or nullptr.
template <typename T>
const T* find_named(const std::vector<T>& list, const std::string& name) {
  for (const T& each : list)
    if (each.name == name) return &each;
  return nullptr;
}

}  // namespace nfsteer::netlink
