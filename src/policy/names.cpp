#include "names.hpp"

#include <algorithm>

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

// A value that no flow has: what a name stands for that stands for nothing,
// such as a country of which the database has no address.
constexpr Interval kNothing{0xffff'ffff, 0xffff'ffff};

bool is_set(const Field& field, std::string_view name) {
  return field.takes_sets && name.starts_with('@');
}

bool is_schedule(const Field& field) {
  return !field.number && !field.address;
}

// Ascending numbers as intervals.
void append_runs(const std::vector<std::uint16_t>& numbers, std::vector<Value>& values) {
  std::vector<Interval> runs;
  for (const std::uint32_t number : numbers) {
    if (!runs.empty() && runs.back().last + 1 == number)
      runs.back().last = number;
    else
      runs.push_back({number, number});
  }
  if (runs.empty()) runs.push_back(kNothing);
  values.insert(values.end(), runs.begin(), runs.end());
}

template <typename Known>
Error unknown(const char* what, std::string_view name, const Known& known, bool with_hint) {
  std::vector<std::string_view> names;
  if (with_hint)
    for (const auto& [each, value] : known) names.push_back(each);
  std::sort(names.begin(), names.end());
  const std::string hint = suggestion(name, names);
  return {
      format("{} `{}` does not exist{}{}", what, printable(name), hint.empty() ? "" : ": ", hint)};
}

}  // namespace

std::string element(std::size_t index) {
  return format("[{}]", index);
}

std::string suggestion(std::string_view word, const std::vector<std::string_view>& known) {
  constexpr std::size_t kListMax = 20;
  if (const auto meant = nearest(word, known)) return format("did you mean `{}`?", *meant);
  if (known.empty() || known.size() > kListMax) return {};
  return format("there are: {}", join(known, ", "));
}

bool is_name(std::string_view name) noexcept {
  constexpr std::size_t kNameMax = 63;
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kNameMax && name.front() != '_' && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), is_letter);
}

std::optional<Problem> check_name(const std::string& name, std::vector<std::string> path,
                                  const char* what) {
  if (is_name(name)) return std::nullopt;
  return Problem{std::move(path), format("`{}` is not a name for a {}", printable(name), what),
                 "names are 1 to 63 of a-z, 0-9, `_` and `-`, and begin with a letter or digit"};
}

Names::Names(const Config& config) : config_(config) {
  for (const SetConfig& set : config.sets) sets_.emplace(set.name, &set);
  for (std::uint32_t i = 0; i < config.schedules.size(); ++i)
    schedules_.emplace(config.schedules[i].name, i);
}

Result<void> Names::check(const Field& field, std::string_view name, bool with_hint) {
  if (is_set(field, name)) {
    if (sets_.contains(name.substr(1))) return {};
    return tl::unexpected(unknown("set", name.substr(1), sets_, with_hint));
  }
  if (is_schedule(field)) {
    if (schedules_.contains(name)) return {};
    return tl::unexpected(unknown("schedule", name, schedules_, with_hint));
  }
  if (!field.takes_countries)
    return fail(format("`{}` is a name, where the field has none", printable(name)));
  return check_country(name);
}

Result<void> Names::check_country(std::string_view name) {
  if (!config_.countries)
    return fail(format("`{}` is a country, and there is no country database", printable(name)));
  const CountryIds& ids = countries(name);
  if (!ids) return tl::unexpected(ids.error());
  return {};
}

const Names::CountryIds& Names::countries(std::string_view name) {
  const auto [known, is_new] = countries_.try_emplace(std::string(name));
  if (is_new) known->second = config_.countries->resolve(name, config_.country_groups);
  return known->second;
}

Match Names::resolve(const Match& match) {
  Match resolved;
  resolved.reserve(match.size());
  for (const Criterion& criterion : match)
    resolved.push_back({criterion.field, resolve(*criterion.field, criterion.any),
                        resolve(*criterion.field, criterion.none)});
  std::sort(resolved.begin(), resolved.end(),
            [](const Criterion& a, const Criterion& b) { return a.field < b.field; });
  return resolved;
}

std::vector<Value> Names::resolve(const Field& field, const std::vector<Value>& values) {
  std::vector<Value> resolved;
  resolved.reserve(values.size());
  for (const Value& value : values)
    if (const auto* name = std::get_if<std::string>(&value))
      append(field, *name, resolved);
    else
      resolved.push_back(value);
  return resolved;
}

void Names::append(const Field& field, const std::string& name, std::vector<Value>& values) {
  if (is_set(field, name)) {
    const auto& prefixes = sets_.at(std::string_view(name).substr(1))->prefixes;
    values.insert(values.end(), prefixes.begin(), prefixes.end());
  } else if (is_schedule(field)) {
    const std::uint32_t index = schedules_.at(name);
    values.emplace_back(Interval{index, index});
  } else {
    append_runs(*countries(name), values);
  }
}

}  // namespace nfsteer
