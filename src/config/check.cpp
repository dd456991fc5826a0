// [check.NAME]
#include <algorithm>
#include <utility>

#include "duration.hpp"
#include "nfsteer/base/text.hpp"
#include "reader.hpp"
#include "sections.hpp"

namespace nfsteer {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kStarts[] = {"up", "down", "last"};  // as CheckStart

milliseconds read_duration(TableReader& in, std::string_view key, milliseconds otherwise,
                           Report& report) {
  const Node* node = in.find(key);
  return node ? read_milliseconds(*node, report).value_or(otherwise) : otherwise;
}

// Numbers are texts to the kind of check as well.
std::vector<std::string> read_texts(const Node& node, const CheckOption& option, Report& report) {
  std::vector<std::string> texts;
  for (const Node& each : one_or_many(node, report)) {
    if (each.kind == Node::Kind::Text) {
      texts.push_back(each.text);
    } else if (each.kind == Node::Kind::Integer) {
      texts.push_back(format("{}", each.integer));
    } else {
      report.value_mistake(each, format("`{}` must be {}", option.key, option.expects));
      continue;
    }
    report.element_read(node, each);
  }
  return texts;
}

std::optional<CheckValue> read_value(const Node& node, const CheckOption& option, Report& report) {
  switch (option.type) {
    case CheckOption::Type::Flag:
      return read_flag(node, report);
    case CheckOption::Type::Text:
      return read_text(node, report);
    case CheckOption::Type::List:
      break;
  }
  return read_texts(node, option, report);
}

void read_options(TableReader& in, const CheckKind& kind, CheckConfig& check, Report& report) {
  for (const CheckOption& option : kind.options) {
    if (option.required) in.require({option.key});
    const Node* node = in.find(option.key);
    if (!node) continue;
    if (auto value = read_value(*node, option, report))
      check.options.emplace(option.key, *std::move(value));
  }
}

CheckConfig read_check(const Node& node, Report& report) {
  TableReader in(node, format("check.{}", printable(node.key)), report);
  CheckConfig check;
  check.name = node.key;
  check.kind = in.text("kind").value_or(check.kind);
  check.interval = read_duration(in, "interval", check.interval, report);
  check.interval_down = read_duration(in, "interval_down", check.interval_down, report);
  check.timeout = read_duration(in, "timeout", std::min(check.timeout, check.interval), report);
  check.rise = in.number<std::uint32_t>("rise", {1, kCheckInRowMax}).value_or(check.rise);
  check.fall = in.number<std::uint32_t>("fall", {1, kCheckInRowMax}).value_or(check.fall);
  check.jitter_percent =
      in.number<std::uint32_t>("jitter", {0, kCheckJitterMax}).value_or(check.jitter_percent);
  if (const auto start = in.word("start", kStarts)) check.start = static_cast<CheckStart>(*start);
  check.port = in.number<std::uint16_t>("port", {1, 65535});
  // Which keys there are is for the kind to say.
  const CheckKind* kind = find_check_kind(check.kind);
  if (!kind) return check;
  read_options(in, *kind, check, report);
  in.finish();
  return check;
}

}  // namespace

std::vector<CheckConfig> read_checks(const Node& node, Report& report) {
  std::vector<CheckConfig> result;
  for (const Node* check : read_members(node, report)) result.push_back(read_check(*check, report));
  return result;
}

}  // namespace nfsteer
