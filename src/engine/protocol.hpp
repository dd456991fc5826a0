// The words of the control socket, and how its messages are read.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "nfsteer/base/result.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {

// What others wrote is read into Json, whose objects stay fast however many
// keys they have. What we write keeps the order that people expect.
using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

namespace method {
inline constexpr std::string_view kStatus = "nfsteer.Status";
inline constexpr std::string_view kExplain = "nfsteer.Explain";
inline constexpr std::string_view kFlushCache = "nfsteer.FlushCache";
inline constexpr std::string_view kFlushStats = "nfsteer.FlushStats";
inline constexpr std::string_view kFlushFlows = "nfsteer.FlushFlows";
inline constexpr std::string_view kAffinity = "nfsteer.Affinity";
inline constexpr std::string_view kFlushAffinity = "nfsteer.FlushAffinity";
inline constexpr std::string_view kFlushStale = "nfsteer.FlushStale";
inline constexpr std::string_view kReload = "nfsteer.Reload";
inline constexpr std::string_view kConfirm = "nfsteer.Confirm";
inline constexpr std::string_view kUndo = "nfsteer.Undo";
inline constexpr std::string_view kDiff = "nfsteer.Diff";
inline constexpr std::string_view kSet = "nfsteer.Set";
}  // namespace method

namespace refusal {
inline constexpr std::string_view kBadRequest = "nfsteer.BadRequest";
inline constexpr std::string_view kUnknownMethod = "nfsteer.UnknownMethod";
inline constexpr std::string_view kInvalidParameter = "nfsteer.InvalidParameter";
inline constexpr std::string_view kNotPermitted = "nfsteer.NotPermitted";
inline constexpr std::string_view kFailed = "nfsteer.Failed";
inline constexpr std::string_view kConfigInvalid = "nfsteer.ConfigInvalid";
}  // namespace refusal

// Ends each message.
inline constexpr char kMessageEnd = '\0';

// No message of ours nests deeper than 6; the limit keeps recursive code, such
// as dump(), off the end of the stack.
inline constexpr int kNestingMax = 32;

// Parses one message into a Json or an OrderedJson.
template <typename AnyJson>
Result<AnyJson> parse_json(std::string_view text) {
  bool too_deep = false;
  const auto keep = [&](int depth, auto, const AnyJson&) {
    too_deep = too_deep || depth > kNestingMax;
    return !too_deep;
  };
  try {
    AnyJson json = AnyJson::parse(text, keep);
    if (too_deep) return fail(format("nested deeper than {} levels", kNestingMax));
    return json;
  } catch (const nlohmann::json::parse_error& error) {
    return fail(format("not JSON: error at byte {}", error.byte));
  } catch (const nlohmann::json::out_of_range&) {
    return fail("not JSON: a number that is too large");
  }
}

// The message as text, for the wire or, with an indent, for people. Bytes that
// are not UTF-8 are replaced.
template <typename AnyJson>
std::string json_text(const AnyJson& json, int indent = -1) {
  return json.dump(indent, ' ', false, AnyJson::error_handler_t::replace);
}

}  // namespace nfsteer
