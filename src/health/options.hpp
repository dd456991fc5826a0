// The options of a check as its kind reads them, and what several kinds ask of a text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "nfsteer/health.hpp"

namespace nfsteer {

// The value of an option, or what there is without it. REQUIRES: problems_of() is empty
std::string text_option(const CheckConfig& check, std::string_view key, std::string otherwise = {});
bool flag_option(const CheckConfig& check, std::string_view key, bool otherwise);
std::vector<std::string> list_option(const CheckConfig& check, std::string_view key);

// What the text stands for: "\xHH", "\n", "\r", "\t" and "\\" are one byte each.
Result<std::string> unescape(std::string_view text);
// Bytes that somebody else sent, as text: what is not printable ASCII escaped, cut
// after `limit` bytes.
std::string escape(std::string_view bytes, std::size_t limit);

}  // namespace nfsteer
