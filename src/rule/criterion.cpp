#include <algorithm>
#include <cassert>

#include "field.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

bool is_one_of(const std::vector<Value>& values, std::uint32_t number) noexcept {
  return std::any_of(values.begin(), values.end(), [number](const Value& value) {
    if (const auto* masked = std::get_if<Masked>(&value))
      return (number & masked->mask) == masked->value;
    const auto* interval = std::get_if<Interval>(&value);
    return interval && interval->first <= number && number <= interval->last;
  });
}

bool is_one_of(const std::vector<Value>& values, const Address& address) noexcept {
  return std::any_of(values.begin(), values.end(), [&address](const Value& value) {
    const auto* prefix = std::get_if<Prefix>(&value);
    return prefix && prefix->contains(address);
  });
}

bool is_one_of(const std::vector<Value>& values, const Activity& activity) noexcept {
  return std::any_of(values.begin(), values.end(), [&activity](const Value& value) {
    const auto* schedule = std::get_if<Interval>(&value);
    if (!schedule) return false;
    const std::size_t i = schedule->first;
    return i / 64 < activity.schedules.size() && (activity.schedules[i / 64] >> i % 64 & 1) != 0;
  });
}

template <typename Found>
bool passes(const Criterion& criterion, const Found& found) noexcept {
  return (criterion.any.empty() || is_one_of(criterion.any, found)) &&
         !is_one_of(criterion.none, found);
}

}  // namespace

std::span<const Field> fields() noexcept {
  static const Field kFields[] = {
#define CRITERION(key) k_##key,
#include "criteria.def"
#undef CRITERION
  };
  return kFields;
}

const Field* find_field(std::string_view name) noexcept {
  const auto all = fields();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Field& field) { return field.name == name; });
  return found == all.end() ? nullptr : &*found;
}

Result<void> Criterion::add(std::string_view value) {
  const bool negated = value.starts_with('!');
  return field->parse(value.substr(negated ? 1 : 0), negated ? none : any);
}

bool Criterion::matches(const Subject& subject) const noexcept {
  if (field->address) {
    const Address* address = field->address(subject);
    return address && passes(*this, *address);
  }
  if (field->number) {
    const auto number = field->number(subject);
    return number && passes(*this, *number);
  }
  return passes(*this, subject.activity);
}

bool matches(const Match& match, const Subject& subject) noexcept {
  return std::all_of(match.begin(), match.end(),
                     [&](const Criterion& criterion) { return criterion.matches(subject); });
}

}  // namespace nfsteer
