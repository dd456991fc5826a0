// One description of the table `inet nfsteer`, from which both its text and its
// netlink messages are made: each piece carries the two forms side by side.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "nfsteer/base/address.hpp"
#include "nfsteer/netlink.hpp"

namespace nfsteer::netlink {

inline constexpr const char* kTableName = "nfsteer";

// ---- values, as they stand in sets and maps ---------------------------------

struct MarkBits {
  std::uint32_t value = 0;
};
// What a hash left over its modulus.
struct Bucket {
  std::uint32_t number = 0;
};
struct Protocol {
  std::uint8_t number = 0;
};
// What the routing table says an address is: RTN_* of linux/rtnetlink.h.
struct AddressKind {
  const char* name;
  std::uint32_t number = 0;
};
struct UserId {
  std::uint32_t number = 0;
};
using Value = std::variant<MarkBits, UserId, Bucket, Protocol, AddressKind, Address, Endpoint>;

// A value as the kernel has it: as it lies in a register.
struct Bytes {
  std::array<std::byte, 20> data{};
  std::size_t size = 0;

  std::span<const std::byte> view() const noexcept { return {data.data(), size}; }
  friend bool operator==(const Bytes&, const Bytes&) = default;
};
Bytes to_bytes(const Value& value);
// The number after this one, in network order; nullopt after the last of its size.
std::optional<Bytes> successor(Bytes number);
std::string to_text(const Value& value);

// What a set holds: nft's word for it, nft's own number for it, and the bytes
// that it takes in a register.
struct Type {
  // As nft stores it with a set, to read the set back.
  enum class Order : std::uint32_t { None, Host, Network };

  const char* name;
  std::uint32_t number = 0;
  std::uint32_t bytes = 0;
  Order order = Order::None;
};
inline constexpr Type kMarkType{"mark", 19, 4, Type::Order::Host};
inline constexpr Type kUserType{"uid", 24, 4, Type::Order::Host};
inline constexpr Type kBucketType{"integer", 4, 4, Type::Order::Host};
inline constexpr Type kProtocolType{"inet_proto", 12, 1, Type::Order::Network};
inline constexpr Type kAddressKindType{"fib_addrtype", 38, 4, Type::Order::Host};
inline constexpr Type kVerdictType{"verdict", 0xffffff00, 0, Type::Order::None};
constexpr Type address_type(Family family) noexcept {
  return family == Family::V4 ? Type{"ipv4_addr", 7, 4, Type::Order::Network}
                              : Type{"ipv6_addr", 8, 16, Type::Order::Network};
}
// A concatenation: 6 bits of its number for each part, 4 bytes at least.
constexpr Type endpoint_type(Family family) noexcept {
  return family == Family::V4 ? Type{"ipv4_addr . inet_service", 7 << 6 | 13, 8}
                              : Type{"ipv6_addr . inet_service", 8 << 6 | 13, 20};
}

// ---- sets and maps ----------------------------------------------------------

struct Goto {
  std::string chain;
};
struct Drop {};
// What an element of a map leads to.
using ElementData = std::variant<std::monostate, Value, Goto, Drop>;

// Keys first to last, both included; in a set without intervals they are equal.
struct Element {
  Value first;
  Value last;
  ElementData data;     // of a map
  std::string comment;  // may be empty

  explicit Element(const Value& key) : first(key), last(key) {}
  Element(const Value& from, const Value& to) : first(from), last(to) {}
};
std::string to_text(const Element& element);

// A set, or with `data` a map. A set without a name belongs to the rule that
// uses it. The elements are made anew for each reader, as there may be a
// million of them; in a set of intervals they are ascending and disjoint.
struct Set {
  using Reader = std::function<void(const Element&)>;

  std::string name;
  Type key;
  std::optional<Type> data;
  bool intervals = false;
  std::function<void(const Reader&)> elements;
};

// "type mark : ipv4_addr"
std::string type_text(const Set& set);

// ---- rules and chains -------------------------------------------------------

class RuleMessage;

// A part of a rule, in nft's language and as expressions of the kernel.
struct Statement {
  std::string text;
  std::function<void(RuleMessage&)> emit;
};
using Rule = std::vector<Statement>;

// Where a base chain is called, and when among the chains of that place.
struct Place {
  const char* type;
  const char* hook;
  std::uint32_t hook_number;  // NF_INET_* of linux/netfilter.h
  const char* priority_name;
  std::int32_t priority;
};

// "type filter hook prerouting priority mangle"
std::string to_text(const Place& place);

struct Chain {
  std::string name;
  std::optional<Place> place;  // absent: called by rules and verdict maps only
  std::vector<Rule> rules;
};

struct TableDescription {
  std::vector<Set> sets;
  std::vector<Chain> chains;
};

// The names of the chains that queue packets, and of the sets of what they queue.
inline constexpr std::array kQueueingChains = {"steer", "steer_local"};
inline constexpr std::array kScopeSets = {"scope4", "scope6"};

// How the names of chains begin that come and go with the rules.
inline constexpr std::array kPassingChains = {"server_", "fallback_"};

// ---- the fallback -------------------------------------------------------------

// The chain of a group, where it has one: that chooses a server, by one rule.
std::string fallback_chain(const Ruleset::FallbackGroup& group);
bool has_fallback_chain(const Ruleset::FallbackGroup& group);
Rule fallback_rule(const Ruleset::FallbackGroup& group);
// The map of a family: address -> chain or verdict. Reads `ruleset`.
Set fallback_set(const Ruleset& ruleset, Family family);

// ---- all of it ------------------------------------------------------------------

// The description reads `ruleset`, which must outlive it.
TableDescription describe(const Ruleset& ruleset, QueueForm form);

}  // namespace nfsteer::netlink
