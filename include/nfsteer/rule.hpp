// What a policy asks of a flow: criteria, one file each in src/rule and one
// row in src/rule/criteria.def.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "nfsteer/base/address.hpp"
#include "nfsteer/flow.hpp"

namespace nfsteer {

// Numbers first to last, both included.
struct Interval {
  std::uint32_t first = 0;
  std::uint32_t last = 0;

  friend constexpr bool operator==(const Interval&, const Interval&) = default;
};

// A kind of criterion: which field of a flow it looks at, and how its values
// are written. Exactly one of number and address is set, and with it the
// parser of its values.
struct Field {
  const char* name;     // the key in `match`, such as "dport"
  const char* expects;  // completes "expected ...", such as "a port or a range such as \"80-90\""

  // The field's number, or nullopt in a flow that has none (a port of ICMP):
  // such a flow does not match, whatever is asked.
  std::optional<std::uint32_t> (*number)(const Flow& flow) noexcept = nullptr;
  Result<Interval> (*parse_interval)(std::string_view text) = nullptr;

  const Address& (*address)(const Flow& flow) noexcept = nullptr;
};

// All kinds of criteria, in the order of criteria.def.
std::span<const Field> fields() noexcept;
// The kind of that name, or nullptr.
const Field* find_field(std::string_view name) noexcept;

// One test that a policy puts to a flow: the field has one of these values.
struct Criterion {
  const Field* field = nullptr;
  std::vector<Interval> intervals;  // of a number field
  std::vector<Prefix> prefixes;     // of an address field

  // Adds one value in the notation of rules files ("9000-9100", "10.0.0.0/8").
  Result<void> add(std::string_view value);
  // Does not allocate.
  bool matches(const Flow& flow) const noexcept;
};

}  // namespace nfsteer
