// What a policy asks of a flow: criteria, one file each in src/rule and one
// row in src/rule/criteria.def; and the classifier, which finds the first of
// many rules that holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "nfsteer/base/address.hpp"
#include "nfsteer/flow.hpp"

namespace nfsteer {

// ---- what is looked at --------------------------------------------------------

// The number of a country in a snapshot's country database; 0: unknown.
using CountryId = std::uint16_t;

// What is so at a moment, and changes by itself. Bit i of word i / 64 is the
// schedule's, or the rule's, with the index i. Constant once made.
struct Activity {
  std::vector<std::uint64_t> schedules;  // active now
  std::vector<std::uint64_t> rules;      // their schedules hold; from Classifier::awake()
};

// All that criteria look at: a flow, and what the snapshot knows beside it.
struct Subject {
  const Flow& flow;
  const Activity& activity;
  CountryId source_country = 0;
  CountryId destination_country = 0;
};

// ---- one criterion ------------------------------------------------------------

// Numbers first to last, both included.
struct Interval {
  std::uint32_t first = 0;
  std::uint32_t last = 0;

  friend constexpr bool operator==(const Interval&, const Interval&) = default;
};

// Holds for a number of which the bits under `mask` are `value`.
// REQUIRES: (value & ~mask) == 0
struct Masked {
  std::uint32_t value = 0;
  std::uint32_t mask = 0xffff'ffff;

  friend constexpr bool operator==(const Masked&, const Masked&) = default;
};

// What a criterion compares a field with. A text is a name that has yet to be
// looked up in the configuration: a set ("@office"), a country or a schedule.
using Value = std::variant<Interval, Masked, Prefix, std::string>;

// The number that a flow has in a field, or none. Used as
// std::optional<std::uint32_t> is, but one register: that is returned through
// memory, written in two parts and read at once, which takes the processor longer
// than all else of a look-up.
class FieldNumber {
 public:
  constexpr FieldNumber(std::nullopt_t) noexcept {}
  constexpr FieldNumber(std::uint32_t number) noexcept : value_(number) {}
  constexpr FieldNumber(std::optional<std::uint32_t> number) noexcept
      : value_(number ? *number : kAbsent) {}

  constexpr explicit operator bool() const noexcept { return value_ != kAbsent; }
  // REQUIRES: there is one
  constexpr std::uint32_t operator*() const noexcept { return static_cast<std::uint32_t>(value_); }

 private:
  static constexpr std::uint64_t kAbsent = std::uint64_t{1} << 32;
  std::uint64_t value_ = kAbsent;
};

// A kind of criterion: which field of a flow it looks at, and how its values
// are written. `number` or `address` is set, or none in the field of schedules,
// whose values are Intervals of indexes.
struct Field {
  const char* name;     // the key in `match`, such as "dport"
  const char* expects;  // completes "expected ...", such as "a port or a range such as \"80-90\""

  // Appends what the text stands for.
  Result<void> (*parse)(std::string_view text, std::vector<Value>& values);

  // The field's value, or nullopt or nullptr in a flow that has none (a port of
  // ICMP): such a flow does not match, whatever is asked.
  FieldNumber (*number)(const Subject& subject) noexcept = nullptr;
  const Address* (*address)(const Subject& subject) noexcept = nullptr;

  bool takes_sets = false;       // "@NAME" is a set of prefixes
  bool takes_countries = false;  // a name is a country or a group of them
};

// All kinds of criteria, in the order of criteria.def.
std::span<const Field> fields() noexcept;
// The kind of that name, or nullptr.
const Field* find_field(std::string_view name) noexcept;

// One test that a policy puts to a flow: the field has one of the values of
// `any`, where there are any, and none of `none`.
struct Criterion {
  const Field* field = nullptr;
  std::vector<Value> any;
  std::vector<Value> none;

  // Adds one value in the notation of rules files ("9000-9100", "10.0.0.0/8");
  // after "!" to `none`.
  Result<void> add(std::string_view value);

  // Whether the subject passes. Does not allocate.
  // REQUIRES: no value is a name; `any` or `none` has one
  bool matches(const Subject& subject) const noexcept;

  friend bool operator==(const Criterion&, const Criterion&) = default;
};

// All must hold. Of each field one criterion at most, in the order of fields().
// Empty: every flow matches.
using Match = std::vector<Criterion>;

bool matches(const Match& match, const Subject& subject) noexcept;

// ---- many rules ---------------------------------------------------------------

// Finds the first of many rules that a flow matches. Constant after
// construction, but for being moved.
class Classifier {
 public:
  // What first_match() returns where no rule matches.
  static constexpr std::uint32_t kNone = 0xffff'ffff;

  // The rules in order, the first that matches wins. What they point to may go
  // after construction. REQUIRES: no value is a name
  explicit Classifier(std::span<const Match* const> rules = {});
  Classifier(Classifier&&) noexcept;
  Classifier& operator=(Classifier&&) noexcept;
  ~Classifier();

  // The index of the first rule, not before `from`, that the subject matches.
  // REQUIRES: activity.rules is what awake() made of activity.schedules
  // Does not allocate. Any thread.
  std::uint32_t first_match(const Subject& subject, std::uint32_t from = 0) const noexcept;

  // The rules whose schedules hold while those of the bitmap are active: a bit
  // each; empty where no rule has a schedule.
  std::vector<std::uint64_t> awake(std::span<const std::uint64_t> schedules) const;

  // Of memory, beside this object itself.
  std::size_t bytes() const noexcept;

 private:
  class Index;
  std::unique_ptr<const Index> index_;
};

}  // namespace nfsteer
