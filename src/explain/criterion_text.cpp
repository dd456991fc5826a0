#include "criterion_text.hpp"

#include <algorithm>
#include <cassert>
#include <string_view>
#include <vector>

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

// Of a longer list one fewer is shown, and how many there are.
constexpr std::size_t kListedMax = 4;

// ---- numbers ----------------------------------------------------------------------

std::string plain(std::uint32_t number, const Meaning&) {
  return format("{}", number);
}

std::string hexadecimal(std::uint32_t number, const Meaning&) {
  return format("{:#x}", number);
}

std::string protocol_text(std::uint32_t number, const Meaning&) {
  return protocol_name(static_cast<std::uint8_t>(number));
}

// The field's number is the protocol times 256 and the type.
std::string icmp_type_text(std::uint32_t number, const Meaning&) {
  return format("{} {}", protocol_name(static_cast<std::uint8_t>(number / 256)), number % 256);
}

std::string country_text(std::uint32_t number, const Meaning& meaning) {
  const auto& records = meaning.snapshot.countries->records();
  if (number >= records.size()) return "nowhere";  // a country without addresses
  return records[number].code.empty() ? "--" : records[number].code;
}

// Fields whose numbers are not written as numbers.
constexpr struct {
  std::string_view field;
  std::string (*text)(std::uint32_t number, const Meaning& meaning);
} kNumbers[] = {
    {"proto", protocol_text},   {"mark", hexadecimal},      {"icmp_type", icmp_type_text},
    {"scountry", country_text}, {"dcountry", country_text},
};

std::string number_text(const Field& field, std::uint32_t number, const Meaning& meaning) {
  for (const auto& row : kNumbers)
    if (row.field == field.name) return row.text(number, meaning);
  return plain(number, meaning);
}

// ---- values -----------------------------------------------------------------------

bool is_interface(const Field& field) {
  return field.name == std::string_view("iif") || field.name == std::string_view("oif");
}

bool is_country(const Field& field) {
  return std::string_view(field.name).ends_with("country");
}

bool is_schedule(const Field& field) {
  return !field.number && !field.address;
}

std::string address_text(const Field& field, const Address& address) {
  return is_interface(field) ? interface_name(address) : to_string(address);
}

std::string prefix_text(const Field& field, const Prefix& prefix) {
  if (!is_interface(field)) return to_string(prefix);
  return interface_name(prefix.address) + (prefix.length < bits(Family::V6) ? "*" : "");
}

std::string interval_text(const Field& field, const Interval& interval, const Meaning& meaning) {
  const std::string first = number_text(field, interval.first, meaning);
  if (interval.first == interval.last) return first;
  return format("{}-{}", first, number_text(field, interval.last, meaning));
}

std::string masked_text(const Field& field, const Masked& masked, const Meaning& meaning) {
  const std::string value = number_text(field, masked.value, meaning);
  return masked.mask == Masked{}.mask ? value : format("{}/{:#x}", value, masked.mask);
}

std::string value_text(const Field& field, const Value& value, const Meaning& meaning) {
  if (const auto* prefix = std::get_if<Prefix>(&value)) return prefix_text(field, *prefix);
  if (const auto* masked = std::get_if<Masked>(&value)) return masked_text(field, *masked, meaning);
  const auto& interval = std::get<Interval>(value);
  if (is_schedule(field)) return meaning.snapshot.schedules[interval.first].name();
  return interval_text(field, interval, meaning);
}

// A list of which the first few are kept.
class Listing {
 public:
  void add(const Field& field, const Value& value, const char* sign, const Meaning& meaning) {
    if (!is_country(field)) return add([&] { return sign + value_text(field, value, meaning); });
    const auto& interval = std::get<Interval>(value);  // of ids, which nobody has written
    for (std::uint64_t id = interval.first; id <= interval.last; ++id)
      add([&] { return sign + country_text(static_cast<std::uint32_t>(id), meaning); });
  }

  std::string text() const {
    if (count_ <= kListedMax) return format("{}", join(first_, ", "));
    const auto end = first_.end() - 1;
    return format("{} and {} more", join(first_.begin(), end, ", "), count_ - (kListedMax - 1));
  }
  std::size_t count() const noexcept { return count_; }

 private:
  template <typename Make>
  void add(Make make) {
    if (count_++ < kListedMax) first_.push_back(make());
  }

  std::vector<std::string> first_;
  std::size_t count_ = 0;
};

Listing listing_of(const Field& field, const std::vector<Value>& values, const Meaning& meaning) {
  Listing listing;
  for (const Value& value : values) listing.add(field, value, "", meaning);
  return listing;
}

// ---- why not ----------------------------------------------------------------------

std::string until(const Schedule& schedule, Time at) {
  const Time change = schedule.next_change(at);
  return change == Time::max() ? "for good" : format("until {}", to_utc_string(change));
}

const Schedule& schedule_of(const Value& value, const Meaning& meaning) {
  return meaning.snapshot.schedules[std::get<Interval>(value).first];
}

// What the flow has in the field; nullopt: nothing.
std::optional<std::string> subject_text(const Field& field, const Subject& subject,
                                        const Meaning& meaning) {
  if (field.address) {
    const Address* address = field.address(subject);
    return address ? std::optional(address_text(field, *address)) : std::nullopt;
  }
  const auto number = field.number(subject);
  return number ? std::optional(number_text(field, *number, meaning)) : std::nullopt;
}

// The value of `none` that the subject has; nullptr where it has none of them.
const Value* ruled_out_by(const Criterion& criterion, const Subject& subject) {
  const auto found =
      std::find_if(criterion.none.begin(), criterion.none.end(), [&](const Value& value) {
        return Criterion{criterion.field, {value}, {}}.matches(subject);
      });
  return found == criterion.none.end() ? nullptr : &*found;
}

std::string why_not_now(const Criterion& criterion, const Subject& subject,
                        const Meaning& meaning) {
  if (const Value* value = ruled_out_by(criterion, subject)) {
    const Schedule& schedule = schedule_of(*value, meaning);
    return format("schedule {} is on {}", schedule.name(), until(schedule, meaning.at));
  }
  if (criterion.any.size() == 1) {
    const Schedule& schedule = schedule_of(criterion.any.front(), meaning);
    return format("schedule {} is off {}", schedule.name(), until(schedule, meaning.at));
  }
  return format("schedules {} are off",
                listing_of(*criterion.field, criterion.any, meaning).text());
}

}  // namespace

std::string text_of(const Match& match, const Meaning& meaning) {
  if (match.empty()) return "every flow";
  std::string text;
  for (const auto& [field, any, none] : match) {
    Listing listing;
    for (const Value& value : any) listing.add(*field, value, "", meaning);
    for (const Value& value : none) listing.add(*field, value, "!", meaning);
    text += format("{}{} {}", text.empty() ? "" : "; ", field->name, listing.text());
  }
  return text;
}

std::string why_not(const Criterion& criterion, const Subject& subject, const Meaning& meaning) {
  assert(!criterion.matches(subject));
  const Field& field = *criterion.field;
  if (is_schedule(field)) return why_not_now(criterion, subject, meaning);
  const auto has = subject_text(field, subject, meaning);
  if (!has) return format("the flow has no {}", field.name);
  if (const Value* value = ruled_out_by(criterion, subject)) {
    Listing listing;
    listing.add(field, *value, "!", meaning);
    return format("{} {} is ruled out by {}", field.name, *has, listing.text());
  }
  const Listing listing = listing_of(field, criterion.any, meaning);
  const auto* interval = std::get_if<Interval>(&criterion.any.front());
  const bool one = listing.count() == 1 && interval && interval->first == interval->last;
  return format("{} {} is not {}{}", field.name, *has, one ? "" : "in ", listing.text());
}

std::string why_not(const Policy& policy, const Subject& subject, const Meaning& meaning) {
  constexpr std::size_t kAlternativesMax = 3;
  std::string text;
  const std::size_t count = policy.match.size();
  for (std::size_t i = 0; i < std::min(count, kAlternativesMax); ++i) {
    const auto failed =
        std::find_if(policy.match[i].begin(), policy.match[i].end(),
                     [&](const Criterion& criterion) { return !criterion.matches(subject); });
    assert(failed != policy.match[i].end());
    if (count > 1) text += format("{}match {}: ", i > 0 ? "; " : "", i + 1);
    text += why_not(*failed, subject, meaning);
  }
  if (count > kAlternativesMax) text += format("; and {} more", count - kAlternativesMax);
  return text;
}

}  // namespace nfsteer
