// A table for people: a header, columns as wide as their content, no borders.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace nfsteer {

class TextTable {
 public:
  enum class Align { Left, Right };
  struct Column {
    std::string header;
    Align align = Align::Left;
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // REQUIRES: one cell a column.
  void add(std::vector<std::string> row);

  // The lines, each with its end; no spaces at the end of one.
  std::string text() const;

 private:
  std::string line(const std::vector<std::string>& row,
                   const std::vector<std::size_t>& widths) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace nfsteer
