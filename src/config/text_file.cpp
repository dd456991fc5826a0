#include "text_file.hpp"

#include <algorithm>
#include <cstdint>

#include "characters.hpp"
#include "files.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/config.hpp"
#include "scan.hpp"

namespace nfsteer {
namespace {

unsigned count_characters(std::string_view text) {
  unsigned count = 0;
  for (; !text.empty(); ++count) text = skip_characters(text, 1);
  return count;
}

std::size_t count_lines(std::string_view text) {
  const bool is_open = !text.empty() && text.back() != '\n';
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + (is_open ? 1 : 0);
}

Result<TextFile> read_text_file(const Node& name, const std::string& path, Files& files) {
  Result<std::string> text = files.read(path, kTextFileBytesMax);
  if (!text) return tl::unexpected(std::move(text.error()));
  if (find_broken_text(*text)) return fail("the file is not text in UTF-8");
  const std::size_t line_count = count_lines(*text);
  if (line_count > kTextFileLinesMax)
    return fail(format("the file has over {} lines", kTextFileLinesMax));
  if (text->starts_with(kByteOrderMark)) text->erase(0, kByteOrderMark.size());
  return TextFile{
      .name = &name, .path = path, .text = *std::move(text), .line_count = line_count, .lines = {}};
}

}  // namespace

bool LineReader::next() noexcept {
  while (next_ < text_.size()) {
    ++line_.number;
    line_.offset = static_cast<std::uint32_t>(next_);
    split_line();
    if (count_ > 0) return true;
  }
  return false;
}

void LineReader::split_line() noexcept {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  const auto ends_words = [](char c) { return c == '\n' || c == '#'; };
  count_ = 0;
  std::size_t at = next_;
  while (at < text_.size() && !ends_words(text_[at])) {
    const std::size_t start = at;
    while (at < text_.size() && !ends_words(text_[at]) && !is_blank(text_[at])) ++at;
    if (at > start && count_ < kWordsMax) words_[count_++] = text_.substr(start, at - start);
    while (at < text_.size() && is_blank(text_[at])) ++at;
  }
  if (at < text_.size() && text_[at] == '#') at = std::min(text_.find('\n', at), text_.size());
  next_ = at + 1;
}

Place place_in_line(const TextFile& file, TextLine line, std::string_view part) {
  const std::string_view text = file.text;
  const auto start = static_cast<std::size_t>(part.data() - text.data());
  return {.line = line.number,
          .column = count_characters(text.substr(line.offset, start - line.offset)) + 1,
          .width = count_characters(part)};
}

TextFile* open_text_file(const Node& table, const Node& name, Report& report) {
  const auto path = read_path(name, report);
  if (!path) return nullptr;
  Result<TextFile> file = read_text_file(name, *path, report.files());
  if (file) return &report.keep(table, *std::move(file));
  report.value_mistake(name, format("{}: {}", *path, file.error().message));
  return nullptr;
}

}  // namespace nfsteer
