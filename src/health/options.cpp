#include "options.hpp"

#include <algorithm>
#include <charconv>

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

const CheckValue* find(const CheckConfig& check, std::string_view key) {
  const auto found = check.options.find(key);
  return found == check.options.end() ? nullptr : &found->second;
}

// The byte that the two digits are.
std::optional<char> parse_byte(std::string_view digits) {
  unsigned byte = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
  if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) return std::nullopt;
  return static_cast<char>(byte);
}

}  // namespace

std::string text_option(const CheckConfig& check, std::string_view key, std::string otherwise) {
  const CheckValue* value = find(check, key);
  return value ? std::get<std::string>(*value) : std::move(otherwise);
}

bool flag_option(const CheckConfig& check, std::string_view key, bool otherwise) {
  const CheckValue* value = find(check, key);
  return value ? std::get<bool>(*value) : otherwise;
}

std::vector<std::string> list_option(const CheckConfig& check, std::string_view key) {
  const CheckValue* value = find(check, key);
  return value ? std::get<std::vector<std::string>>(*value) : std::vector<std::string>();
}

Result<std::string> unescape(std::string_view text) {
  constexpr std::string_view kNames = "nrt\\", kBytes = "\n\r\t\\";
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      result += text[i];
      continue;
    }
    const char name = ++i < text.size() ? text[i] : '\0';
    const auto byte = name == 'x' ? parse_byte(text.substr(i + 1, 2)) : std::nullopt;
    const std::size_t known = name == '\0' ? kNames.npos : kNames.find(name);
    if (!byte && known == kNames.npos)
      return fail(format("`{}` is no escape: there are \\xHH, \\n, \\r, \\t and \\\\",
                         printable(text.substr(i - 1, name == 'x' ? 4 : 2))));
    result += byte ? *byte : kBytes[known];
    if (byte) i += 2;
  }
  return result;
}

std::string escape(std::string_view bytes, std::size_t limit) {
  std::string result;
  for (const char c : bytes.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f)
      result += c;
    else
      result += format("\\x{:02x}", byte);
  }
  if (bytes.size() > limit) result += "...";
  return result;
}

}  // namespace nfsteer
