#include "toml.hpp"

#include <toml++/toml.h>
#include <string>
#include <utility>

#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

Place to_place(const toml::source_region& region) {
  const bool one_line = region.begin.line == region.end.line;
  return {.line = region.begin.line,
          .column = region.begin.column,
          .width = one_line ? region.end.column - region.begin.column : kToLineEnd};
}

// The node's value and place; a new node is filled in place, as there are many.
void fill(Node& node, const toml::node& from) {
  node.kind = Node::Kind::Other;
  node.place = to_place(from.source());
  if (const toml::table* table = from.as_table()) {
    node.kind = Node::Kind::Table;
    node.children.reserve(table->size());
    for (const auto& [key, value] : *table) {
      Node& child = node.children.emplace_back();
      child.key = key.str();
      child.key_place = to_place(key.source());
      fill(child, value);
    }
  } else if (const toml::array* array = from.as_array()) {
    node.kind = Node::Kind::List;
    node.children.reserve(array->size());
    for (const toml::node& value : *array) {
      Node& child = node.children.emplace_back();
      child.key = node.key;
      fill(child, value);
      child.key_place = child.place;
    }
  } else if (const auto* text = from.as_string()) {
    node.kind = Node::Kind::Text;
    node.text = text->get();
  } else if (const auto* integer = from.as_integer()) {
    node.kind = Node::Kind::Integer;
    node.integer = integer->get();
  } else if (const auto* boolean = from.as_boolean()) {
    node.kind = Node::Kind::Boolean;
    node.integer = boolean->get() ? 1 : 0;
  } else if (const auto* date = from.as_date()) {
    node.kind = Node::Kind::Date;
    const auto& [year, month, day] = date->get();
    node.text = format("{:04}-{:02}-{:02}", year, month, day);
  }
}

// What people mostly did wrong, by what the parser was reading and missed.
constexpr struct {
  std::string_view context;
  std::string_view reason;  // a part of it
  std::string_view remedy;
} kRemedies[] = {
    {"", "cannot redefine", "it is given above: once is enough"},
    {"value", "could not determine value type", "text needs quotes"},
    {"boolean", "expected", "write true or false; text needs quotes"},
    {"floating-point", "expected", "text, such as an address, needs quotes"},
    {"date", "expected", "text, such as a range, needs quotes"},
    {"string", "control characters", "is a closing quote missing?"},
    {"inline table", "dangling comma", "no comma before the brace"},
    {"inline table", "saw '\\n'", "an inline table is written on one line"},
};

std::string_view remedy_for(std::string_view context, std::string_view reason) {
  const auto has = [](std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
  };
  for (const auto& row : kRemedies)
    if (has(context, row.context) && has(reason, row.reason)) return row.remedy;
  return {};
}

// The parser's sentence is "Error while parsing CONTEXT: REASON", mostly.
Mistake to_mistake(const toml::parse_error& error) {
  constexpr std::size_t kReasonMax = 200;
  constexpr std::string_view kOpening = "Error while parsing ";
  std::string_view reason = error.description();
  std::string_view context = "text";
  if (const auto colon = reason.find(": ");
      reason.starts_with(kOpening) && colon != std::string_view::npos) {
    context = reason.substr(kOpening.size(), colon - kOpening.size());
    reason.remove_prefix(colon + 2);
  }
  return {to_place(error.source()),
          format("syntax error in {}: {}", context, printable(reason, kReasonMax)),
          std::string(remedy_for(context, reason))};
}

}  // namespace

std::variant<Node, Mistake> parse_toml(std::string_view text) {
  try {
    Node root;
    fill(root, toml::parse(text));
    return root;
  } catch (const toml::parse_error& error) {
    return to_mistake(error);
  }
}

}  // namespace nfsteer
