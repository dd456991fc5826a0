// What stands in rules files, questions and command lines for one value. What a
// notation takes is written as the same value again; a number is what it was.
#include <algorithm>

#include "../fuzz.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/config.hpp"
#include "nfsteer/steering.hpp"

using namespace nfsteer;

namespace {

// Digit by digit.
std::optional<std::uint64_t> read_number(std::string_view text) {
  const bool is_hexadecimal = text.starts_with("0x");
  if (is_hexadecimal) text.remove_prefix(2);
  const std::string_view digits = is_hexadecimal ? "0123456789abcdef" : "0123456789";
  if (text.empty()) return std::nullopt;
  unsigned __int128 value = 0;
  for (const char c : text) {
    const char lower = c >= 'A' && c <= 'F' ? static_cast<char>(c + ('a' - 'A')) : c;
    const std::size_t digit = digits.find(lower);
    if (digit == digits.npos) return std::nullopt;
    value = value * digits.size() + digit;
    if (value > ~std::uint64_t{0}) return std::nullopt;
  }
  return static_cast<std::uint64_t>(value);
}

void check_addresses(std::string_view text) {
  if (const auto address = parse_address(text)) {
    const auto again = parse_address(to_string(*address));
    FUZZ_CHECK(again && *again == *address);
  }
  if (const auto prefix = parse_prefix(text)) {
    const auto again = parse_prefix(to_string(*prefix));
    FUZZ_CHECK(again && *again == *prefix);
    FUZZ_CHECK(prefix->contains(prefix->first()) && prefix->contains(prefix->last()));
  }
  const std::string name = interface_name(interface_key(text));
  FUZZ_CHECK(name == text.substr(0, std::min<std::size_t>({15, text.size(), text.find('\0')})));
}

void check_numbers(std::string_view text) {
  const auto number = parse_number(text);
  FUZZ_CHECK(number == read_number(text));
  if (const auto protocol = parse_protocol(text))
    FUZZ_CHECK(parse_protocol(protocol_name(*protocol)) == protocol);
  if (!number || *number > 0xffff'ffff) return;
  const auto mask = static_cast<std::uint32_t>(*number);
  if (const auto layout = make_mark_layout(mask)) {
    FUZZ_CHECK(layout->server_max() >= 2 && layout->server_max() <= 65'533);
    FUZZ_CHECK((layout->server(static_cast<ServerId>(layout->server_max())) & ~mask) == 0);
    FUZZ_CHECK(layout->reject() < layout->pass());
  }
}

void check_times(std::string_view text) {
  const Time now(std::chrono::seconds(1'800'000'000));
  if (const auto moment = parse_moment(text, now)) {
    const std::string written = to_utc_string(*moment);
    const auto again = parse_moment(written, now);
    FUZZ_CHECK(again && *again == *moment);
  }
  if (const auto days = parse_weekdays(text)) FUZZ_CHECK(*days > 0 && *days <= kEveryDay);
  if (const auto time = parse_time_of_day(text))
    FUZZ_CHECK(time->count() >= 0 && time->count() <= 24 * 60);
  if (const auto date = parse_date(text))
    FUZZ_CHECK(format("{:04}-{:02}-{:02}", date->year, date->month, date->day) == text);
  const auto zone = check_timezone(std::string(text));
  FUZZ_CHECK(zone || !zone.error().message.empty());

  if (const auto duration = parse_duration(text)) {
    FUZZ_CHECK(duration->count() >= 0);
    const auto again = parse_duration(format("{}ms", duration->count()));
    FUZZ_CHECK(!again || *again == *duration);  // there are limits to the number
  }
}

// Values of criteria hold for flows that have them, or for none at all.
void check_criteria(std::string_view text) {
  for (const Field& field : fields()) {
    Criterion criterion{&field, {}, {}};
    const auto added = criterion.add(text);
    FUZZ_CHECK(added || !added.error().message.empty());
    FUZZ_CHECK(added.has_value() == (criterion.any.size() + criterion.none.size() > 0));
    Config config;
    config.policies.push_back({.name = "p", .match = {{criterion}}});
    if (added) (void)validate(config);
  }
}

}  // namespace

FUZZ_TARGET(notation) {
  const std::string_view text = fuzz::text_of(input);
  check_addresses(text);
  check_numbers(text);
  check_times(text);
  check_criteria(text);
  constexpr std::string_view kWords[] = {"weight", "servers", "weighted-random", "", "a"};
  if (const auto meant = nearest(text, kWords))
    FUZZ_CHECK(std::count(std::begin(kWords), std::end(kWords), *meant) == 1);
  if (const auto weight = parse_weight_override(text))
    FUZZ_CHECK(parse_weight_override(to_string(*weight)) == *weight);
  if (const auto state = parse_server_state(text)) FUZZ_CHECK(name(*state) == text);
  const std::string shown = printable(text);
  FUZZ_CHECK(shown.size() <= 60 * 4 + 3);
  FUZZ_CHECK(std::none_of(shown.begin(), shown.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  }));
}
