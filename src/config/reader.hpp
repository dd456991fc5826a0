// Typed access to the tables of a rules file: each reader names the keys it
// knows by asking for them, and all others are mistakes.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nfsteer/base/result.hpp"
#include "nfsteer/base/text.hpp"
#include "node.hpp"
#include "report.hpp"

namespace nfsteer {

// Integers first to last, both included.
struct NumberRange {
  std::int64_t first;
  std::int64_t last;
};
template <std::integral Number>
inline constexpr NumberRange kAll{std::numeric_limits<Number>::min(),
                                  std::numeric_limits<Number>::max()};

// The value of a node; nullopt, and a mistake, where it is another.
std::optional<std::int64_t> read_integer(const Node& node, NumberRange range, Report& report);
std::optional<std::string> read_text(const Node& node, Report& report);
std::optional<bool> read_flag(const Node& node, Report& report);
// The index of the word among `words`.
std::optional<std::size_t> read_word(const Node& node, std::span<const std::string_view> words,
                                     Report& report);

// A text that `parse` understands.
template <typename T>
std::optional<T> read_parsed(const Node& node, Result<T> (*parse)(std::string_view),
                             Report& report) {
  const auto text = read_text(node, report);
  if (!text) return std::nullopt;
  Result<T> value = parse(*text);
  if (value) return *std::move(value);
  report.value_mistake(node, value.error().message);
  return std::nullopt;
}
// The path of a file. A relative one is meant from the rules file's folder.
std::optional<std::string> read_path(const Node& node, Report& report);

// The node itself, or the elements where it is a list; an empty one is a mistake.
std::span<const Node> one_or_many(const Node& node, Report& report);

// The members of a table in the order of the file; none, and a mistake, where
// the node is no table.
std::vector<const Node*> read_members(const Node& node, Report& report);

// The elements of a list, without those that `read` cannot read; none, and a
// mistake, where the node is no list. `read` is a function
// std::optional<T>(const Node& element, const std::string& where, Report&).
template <typename T, typename Read>
std::vector<T> read_list(const Node& node, const std::string& where, Report& report, Read read) {
  std::vector<T> result;
  if (node.kind != Node::Kind::List) {
    report.value_mistake(node, format("`{}` must be a list of tables", node.key),
                         "write [ { ... }, { ... } ], or a [[header]] for each");
    return result;
  }
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    const Node& element = node.children[i];
    std::optional<T> value = read(element, format("{}[{}]", where, i), report);
    if (!value) continue;
    result.push_back(std::move(*value));
    report.element_read(node, element);
  }
  return result;
}

class TableReader {
 public:
  // `where` names the table in messages ("group.web"); empty: the whole file.
  // A node that is no table is a mistake, and has no keys.
  TableReader(const Node& node, std::string where, Report& report);

  // The value of a key, or nullptr. All keys are string literals.
  const Node* find(std::string_view key);
  // Makes it a mistake if none of these keys is there.
  void require(std::initializer_list<std::string_view> keys);
  // The value of the one of these keys that is there, or nullptr; none and
  // several are mistakes. `what` is what has one `target` only.
  const Node* find_target(std::string_view what, std::initializer_list<std::string_view> keys);

  template <std::integral Number>
  std::optional<Number> number(std::string_view key, NumberRange range) {
    const Node* node = find(key);
    const auto value = node ? read_integer(*node, range, report_) : std::nullopt;
    return value ? std::optional(static_cast<Number>(*value)) : std::nullopt;
  }
  std::optional<std::string> text(std::string_view key);
  std::optional<bool> flag(std::string_view key);
  std::optional<std::size_t> word(std::string_view key, std::span<const std::string_view> words);
  // A text that `parse` understands.
  template <typename T>
  std::optional<T> parsed(std::string_view key, Result<T> (*parse)(std::string_view)) {
    const Node* node = find(key);
    return node ? read_parsed(*node, parse, report_) : std::nullopt;
  }

  // Reports the keys that nobody asked for, and those that are missing. Last.
  void finish();

 private:
  std::vector<std::string> report_unknown();

  const Node& node_;
  bool is_table_;
  std::string where_;
  Report& report_;
  std::vector<std::string_view> known_;
  std::vector<std::vector<std::string_view>> missing_;  // one of each is needed
};

}  // namespace nfsteer
