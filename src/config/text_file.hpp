// Text files that a rules file names: one route, or one prefix, a line. `#`
// begins a comment; lines without words say nothing.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nfsteer/base/result.hpp"
#include "node.hpp"
#include "reader.hpp"
#include "report.hpp"

namespace nfsteer {

// The words of the lines of a text, line by line.
class LineReader {
 public:
  // No line has more, and one that is too much.
  static constexpr std::size_t kWordsMax = 5;

  explicit LineReader(std::string_view text) : text_(text) {}

  // Goes to the next line that has words; false where there is none.
  bool next() noexcept;

  // The first kWordsMax words of the line.
  std::span<const std::string_view> words() const noexcept { return {words_.data(), count_}; }
  TextLine line() const noexcept { return line_; }

 private:
  void split_line() noexcept;

  std::string_view text_;
  TextLine line_;
  std::size_t next_ = 0;  // where the line behind begins
  std::array<std::string_view, kWordsMax> words_;
  std::size_t count_ = 0;
};

// The place of a part of a line.
Place place_in_line(const TextFile& file, TextLine line, std::string_view part);

// What a line says, or the part of it that is wrong.
struct LineMistake {
  std::string_view part;
  std::string message;
  std::string remedy = {};
};
template <typename T>
using LineResult = tl::expected<T, LineMistake>;

// The file that the text of the node names, or nullptr and a mistake. `table` is
// that which the key with the name is in.
TextFile* open_text_file(const Node& table, const Node& name, Report& report);

// Appends what the lines of the files say. `files` are the names, one or many.
// `read` is a function LineResult<T>(std::span<const std::string_view> words).
template <typename T, typename Read>
void read_text_files(const Node& table, const Node& files, std::vector<T>& list, Report& report,
                     Read read) {
  for (const Node& name : one_or_many(files, report)) {
    TextFile* file = open_text_file(table, name, report);
    if (!file) continue;
    list.reserve(list.size() + file->line_count);
    file->lines.reserve(file->line_count);
    for (LineReader lines(file->text); lines.next();) {
      LineResult<T> value = read(lines.words());
      if (value) {
        list.push_back(std::move(*value));
        file->lines.push_back(lines.line());
      } else if (auto& [part, message, remedy] = value.error();
                 !report.line_mistake(*file, place_in_line(*file, lines.line(), part),
                                      std::move(message), std::move(remedy))) {
        break;
      }
    }
  }
}

}  // namespace nfsteer
