// Server groups and their balancers: one file each in src/balance and one row
// in src/balance/balancers.def.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nfsteer/base/address.hpp"
#include "nfsteer/base/mark.hpp"

namespace nfsteer {

// One server of a group, as the compiled snapshot holds it.
struct Server {
  std::string name;  // unique in its group
  Address address;
  std::optional<std::uint16_t> port;  // absent: the flow's own port is kept
  std::uint32_t weight = 1;           // kWeightMin to kWeightMax
  ServerId id = 0;
};
inline constexpr std::uint32_t kWeightMin = 1, kWeightMax = 10'000;

// The place in the order of a balancer that goes round. Outlives snapshots, so
// that the order goes on over a reload. Shared by all workers.
struct alignas(64) Cursor {
  std::atomic<std::uint64_t> ticket{0};
};

// Whether a choice counts.
enum class Turn : std::uint8_t {
  Take,  // it is made
  Peek,  // it is only told what Take would choose
};

// Chooses a server for each new flow. One instance serves every worker at once.
class Balancer {
 public:
  virtual ~Balancer() = default;

  // Returns the index, in the servers the balancer was made of, of the one to
  // use. Does not allocate, lock, log or throw.
  virtual std::size_t pick(std::uint64_t flow_hash, Turn turn) const noexcept = 0;
};

// A kind of balancer.
struct Algorithm {
  const char* name;     // in rules files, such as "weighted"
  const char* summary;  // one line, for people
  // REQUIRES: servers is not empty. The cursor must outlive the balancer.
  std::unique_ptr<const Balancer> (*make)(std::span<const Server> servers, Cursor& cursor);
};

// All algorithms, in the order of balancers.def.
std::span<const Algorithm> algorithms() noexcept;
// The algorithm of that name, or nullptr.
const Algorithm* find_algorithm(std::string_view name) noexcept;

// Servers of one family with their balancer. Constant after construction, but
// for the cursor that the balancer moves.
struct Pool {
  std::vector<Server> servers;
  std::unique_ptr<const Balancer> balancer;  // null where servers is empty
};

// A named group of servers. A flow goes to a server of its own family.
struct Group {
  std::string name;
  std::string algorithm;
  bool snat = false;  // the servers see the router's address as the client's
  Pool v4, v6;

  const Pool& pool(Family family) const noexcept { return family == Family::V4 ? v4 : v6; }
  // Whether flows of the family can go to it now.
  bool is_usable(Family family) const noexcept { return !pool(family).servers.empty(); }
};

// The cursors of a group, one a family; kept by the group's name over reloads.
struct GroupState {
  Cursor v4, v6;
};

}  // namespace nfsteer
