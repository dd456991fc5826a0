// How the values of several fields are written.
#include <algorithm>

#include "field.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {

std::optional<Interval> parse_interval(std::string_view text, std::uint32_t max) noexcept {
  const std::size_t dash = text.find('-');
  const auto first = parse_number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_number(text.substr(dash + 1));
  if (!first || !last || *first > *last || *last > max) return std::nullopt;
  return Interval{static_cast<std::uint32_t>(*first), static_cast<std::uint32_t>(*last)};
}

Result<void> parse_ports(std::string_view text, std::vector<Value>& values) {
  constexpr std::uint32_t kMax = 65'535;
  if (const auto ports = parse_interval(text, kMax)) {
    values.emplace_back(*ports);
    return {};
  }
  const std::size_t dash = text.find('-');
  if (dash != std::string_view::npos) {
    const auto first = parse_number(text.substr(0, dash));
    const auto last = parse_number(text.substr(dash + 1));
    if (first && last && *last < *first && *first <= kMax)
      return fail(format("the range `{}` runs backward: {}-{}", printable(text), *last, *first));
  }
  return fail(format("`{}` is not a port or a range of ports: 0 to 65535", printable(text)));
}

Result<void> parse_prefix_value(std::string_view text, std::vector<Value>& values) {
  if (text.size() > 1 && text.front() == '@') {
    values.emplace_back(std::string(text));
    return {};
  }
  auto prefix = parse_prefix(text);
  if (!prefix) return tl::unexpected(std::move(prefix.error()));
  values.emplace_back(*prefix);
  return {};
}

Result<void> parse_interface(std::string_view text, std::vector<Value>& values) {
  constexpr std::size_t kNameMax = 15;  // IFNAMSIZ of linux/if.h, without its end
  constexpr std::string_view kNever = "/: \t\n\r\v\f*";
  const bool open = text.ends_with('*');
  const std::string_view name = text.substr(0, text.size() - (open ? 1 : 0));
  if (name.size() > kNameMax)
    return fail(format("`{}` is longer than an interface's name can be: {} bytes", printable(text),
                       kNameMax));
  const bool is_other =
      name.starts_with('@') || name.starts_with('!') || name == "." || name == "..";
  if (text.empty() || is_other || name.find_first_of(kNever) != std::string_view::npos ||
      name.find('\0') != std::string_view::npos)
    return fail(format("`{}` is not the name of an interface", printable(text)));
  const auto length = static_cast<std::uint8_t>(open ? name.size() * 8 : 128);
  values.emplace_back(Prefix{interface_key(name), length});
  return {};
}

Result<void> parse_ids(std::string_view text, std::vector<Value>& values, std::string_view what,
                       std::optional<std::uint32_t> (*find)(const char* name)) {
  constexpr std::uint32_t kMax = 0xffff'fffe;  // the number above is none
  if (const auto numbers = parse_interval(text, kMax)) {
    values.emplace_back(*numbers);
    return {};
  }
  const std::string name(text);
  const bool can_be_name = !name.empty() && name.find('\0') == name.npos;
  const auto number = can_be_name ? find(name.c_str()) : std::nullopt;
  if (!number) return fail(format("there is no {} `{}` on this machine", what, printable(text)));
  values.emplace_back(Interval{*number, *number});
  return {};
}

Result<void> parse_country(std::string_view text, std::vector<Value>& values) {
  constexpr std::string_view kContinent = "continent:";
  const auto is_code = [](std::string_view code) {
    return code.size() == 2 &&
           std::all_of(code.begin(), code.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  };
  const auto is_name = [](std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
  };
  const bool good = text.starts_with(kContinent) ? is_code(text.substr(kContinent.size()))
                                                 : is_code(text) || is_name(text);
  if (!good) return fail(format("`{}` is not a country or a group of countries", printable(text)));
  values.emplace_back(std::string(text));
  return {};
}

}  // namespace nfsteer
