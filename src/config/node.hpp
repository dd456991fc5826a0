// A rules file as a tree, and the places of what is in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace nfsteer {

inline constexpr unsigned kToLineEnd = std::numeric_limits<unsigned>::max();

// A stretch of one line. Lines and columns count from 1, columns in characters.
struct Place {
  unsigned line = 0;  // 0: the file as a whole
  unsigned column = 0;
  unsigned width = 1;  // in characters, or kToLineEnd
};

// By the first character.
bool is_before(const Place& a, const Place& b) noexcept;

// A value of a rules file. An element of a list has the key of its list.
struct Node {
  enum class Kind { Table, List, Text, Integer, Boolean, Date, Other };

  Kind kind = Kind::Table;
  Place place;      // of the value; a table's is its header or its braces
  Place key_place;  // an element of a list: of the value
  std::string key;
  std::string text;          // Kind::Text; Kind::Date: "2026-12-25"
  std::int64_t integer = 0;  // Kind::Integer; Kind::Boolean: 0 or 1

  std::vector<Node> children;  // Kind::Table: sorted by key. Kind::List: as given
};

// The member of a table with that key, or nullptr.
const Node* find_member(const Node& table, std::string_view key) noexcept;

// Something wrong at a place.
struct Mistake {
  Place place;
  std::string message;
  std::string remedy;    // may be empty
  std::size_t file = 0;  // 0: the rules file; else as Report::text_file() has it
};

// By the file, then by the place.
bool is_before(const Mistake& a, const Mistake& b) noexcept;

}  // namespace nfsteer
