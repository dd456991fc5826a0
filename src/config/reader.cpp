#include "reader.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

namespace nfsteer {
namespace {

std::string one_of(const std::vector<std::string_view>& keys) {
  return format("{}`{}`", keys.size() > 1 ? "one of " : "", join(keys, "`, `"));
}

}  // namespace

std::optional<std::int64_t> read_integer(const Node& node, NumberRange range, Report& report) {
  if (node.kind == Node::Kind::Integer && range.first <= node.integer && node.integer <= range.last)
    return node.integer;
  report.value_mistake(
      node, format("`{}` must be a whole number from {} to {}", node.key, range.first, range.last));
  return std::nullopt;
}

std::optional<std::string> read_text(const Node& node, Report& report) {
  if (node.kind == Node::Kind::Text) return node.text;
  report.value_mistake(node, format("`{}` must be text in quotes", node.key));
  return std::nullopt;
}

std::optional<bool> read_flag(const Node& node, Report& report) {
  if (node.kind == Node::Kind::Boolean) return node.integer != 0;
  report.value_mistake(node, format("`{}` must be true or false", node.key));
  return std::nullopt;
}

std::optional<std::size_t> read_word(const Node& node, std::span<const std::string_view> words,
                                     Report& report) {
  const auto found = node.kind == Node::Kind::Text
                         ? std::find(words.begin(), words.end(), node.text)
                         : words.end();
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  const auto meant = nearest(node.text, words);
  report.value_mistake(node, format("`{}` must be \"{}\"", node.key, join(words, "\" or \"")),
                       meant ? format("did you mean `{}`?", *meant) : "");
  return std::nullopt;
}

std::optional<std::string> read_path(const Node& node, Report& report) {
  const auto text = read_text(node, report);
  if (!text) return std::nullopt;
  if (!text->empty() && text->find('\0') == std::string::npos)
    return (std::filesystem::path(report.folder()) / *text).string();
  report.value_mistake(node, format("`{}` must be the name of a file", node.key));
  return std::nullopt;
}

std::span<const Node> one_or_many(const Node& node, Report& report) {
  if (node.kind != Node::Kind::List) return {&node, 1};
  if (node.children.empty())
    report.value_mistake(node, format("`{}` must have at least one value", node.key));
  return node.children;
}

std::vector<const Node*> read_members(const Node& node, Report& report) {
  std::vector<const Node*> result;
  if (node.kind != Node::Kind::Table) {
    report.value_mistake(node, format("`{}` must be a table of tables", node.key),
                         format("write [{}.NAME]", node.key));
    return result;
  }
  for (const Node& child : node.children) result.push_back(&child);
  std::sort(result.begin(), result.end(),
            [](const Node* a, const Node* b) { return is_before(a->key_place, b->key_place); });
  return result;
}

TableReader::TableReader(const Node& node, std::string where, Report& report)
    : node_(node),
      is_table_(node.kind == Node::Kind::Table),
      where_(std::move(where)),
      report_(report) {
  constexpr std::size_t kKeys = 16;  // as many as most tables can have
  known_.reserve(kKeys);
  if (!is_table_) report_.value_mistake(node, format("`{}` must be a table", where_));
}

const Node* TableReader::find(std::string_view key) {
  known_.push_back(key);
  return is_table_ ? find_member(node_, key) : nullptr;
}

void TableReader::require(std::initializer_list<std::string_view> keys) {
  const auto is_there = [this](std::string_view key) { return find_member(node_, key) != nullptr; };
  if (is_table_ && std::none_of(keys.begin(), keys.end(), is_there)) missing_.emplace_back(keys);
}

const Node* TableReader::find_target(std::string_view what,
                                     std::initializer_list<std::string_view> keys) {
  require(keys);
  const Node* first = nullptr;
  for (const std::string_view key : keys) {
    const Node* given = find(key);
    if (given && first)
      report_.key_mistake(
          *given, format("a {} has one target: `{}` or `{}`", what, first->key, given->key));
    if (!first) first = given;
  }
  return first;
}

std::optional<std::string> TableReader::text(std::string_view key) {
  const Node* node = find(key);
  return node ? read_text(*node, report_) : std::nullopt;
}

std::optional<bool> TableReader::flag(std::string_view key) {
  const Node* node = find(key);
  return node ? read_flag(*node, report_) : std::nullopt;
}

std::optional<std::size_t> TableReader::word(std::string_view key,
                                             std::span<const std::string_view> words) {
  const Node* node = find(key);
  return node ? read_word(*node, words, report_) : std::nullopt;
}

void TableReader::finish() {
  if (!is_table_) return;
  const std::vector<std::string> meant = report_unknown();
  if (!report_.complete()) return;
  for (const auto& keys : missing_) {
    // A misspelled key is not missing as well.
    const bool misspelled = std::any_of(keys.begin(), keys.end(), [&meant](std::string_view key) {
      return std::find(meant.begin(), meant.end(), key) != meant.end();
    });
    if (!misspelled) report_.value_mistake(node_, format("{} needs {}", where_, one_of(keys)));
  }
}

// Returns the keys that were probably meant.
std::vector<std::string> TableReader::report_unknown() {
  std::vector<std::string> result;
  for (const Node& child : node_.children) {
    if (report_.is_full()) break;
    if (std::find(known_.begin(), known_.end(), child.key) != known_.end()) continue;
    const auto meant = nearest(child.key, known_);
    report_.key_mistake(child,
                        format("unknown key `{}`{}", printable(child.key),
                               where_.empty() ? "" : format(" in {}", where_)),
                        meant ? format("did you mean `{}`?", *meant)
                              : format("the keys are: {}", join(known_, ", ")));
    if (meant) result.push_back(*meant);
  }
  return result;
}

}  // namespace nfsteer
