#include "text_table.hpp"

#include <algorithm>
#include <cassert>

namespace nfsteer {

void TextTable::add(std::vector<std::string> row) {
  assert(row.size() == columns_.size());
  rows_.push_back(std::move(row));
}

std::string TextTable::text() const {
  std::vector<std::string> header;
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) {
    header.push_back(column.header);
    widths.push_back(column.header.size());
  }
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());

  std::string text = line(header, widths);
  for (const auto& row : rows_) text += line(row, widths);
  return text;
}

std::string TextTable::line(const std::vector<std::string>& row,
                            const std::vector<std::size_t>& widths) const {
  std::string text;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string padding(widths[i] - row[i].size(), ' ');
    if (i > 0) text += "  ";
    text += columns_[i].align == Align::Left ? row[i] + padding : padding + row[i];
  }
  text.erase(text.find_last_not_of(' ') + 1);
  return text + '\n';
}

}  // namespace nfsteer
