// Flows that are being made up, and the values that their fields can have.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "nfsteer/flow.hpp"
#include "nfsteer/policy.hpp"
#include "nfsteer/rule.hpp"
#include "nfsteer/schedule.hpp"

namespace nfsteer {

struct Draft {
  Flow flow;
  Time at;
};

// An ordinary flow of the family: TCP, between addresses for documentation, on a
// Monday at noon UTC.
Draft ordinary(Family family);

// A value of one field: its number, its address, or a time for schedules.
struct FieldValue {
  const Field* field = nullptr;
  std::variant<std::uint32_t, Address, Time> value;
};

// What a snapshot says of values beside its rules. Constant after construction.
class Values {
 public:
  explicit Values(const Snapshot& snapshot);

  // The values at both sides of each bound of the criterion; some of them, but not
  // all, are such as it asks for.
  std::vector<FieldValue> at_bounds(const Criterion& criterion) const;

  // Gives the flow the value, and what belongs to it: with a protocol its ports.
  // False where the flow cannot have it: a port of ICMP, an address of the other family.
  bool put(const FieldValue& value, Draft& draft) const;

 private:
  void add_bounds(const Criterion& criterion, const Value& value,
                  std::vector<FieldValue>& values) const;
  void add_times(const Field& field, const Interval& schedules,
                 std::vector<FieldValue>& values) const;
  const std::optional<Address>& country_address(Family family, std::uint32_t country) const;

  const Snapshot& snapshot_;
  std::vector<std::optional<Address>> countries4_, countries6_;  // an address of each, by id
};

// The address before and behind; nullopt where there is none.
std::optional<Address> before(const Address& address) noexcept;
std::optional<Address> behind(const Address& address) noexcept;

}  // namespace nfsteer
