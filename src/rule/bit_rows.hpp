// For each class of a field the rules that hold for it, as bits; what two
// classes have in common is there once.
//
// A row has a bit for each word of 64 rules that is not zero, and for each block
// of 8 words where it is. A row that is made from another shares all its blocks
// but those with a change. So a field costs little more than a row for each
// class, of n/64 bits and n/512 numbers, and rules that do not ask for the field
// cost nothing. The summary is that of
// Aggregated Bit Vectors (Baboescu, Varghese: SIGCOMM 2001).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nfsteer {

// From the row that a row is made from: the rule of the bit begins to hold, or ends.
struct RowChange {
  std::uint32_t row = 0;
  std::uint32_t bit = 0;
  bool holds = false;
};

class BitRows {
 public:
  static constexpr std::size_t kBlockWords = 8;

  BitRows() = default;
  // Makes rows 0 and 1, of one bit a rule. REQUIRES: both of `words` words
  BitRows(std::span<const std::uint64_t> first, std::span<const std::uint64_t> second);

  // Makes the next row from the row `like`. REQUIRES: by ascending bit
  void append(std::uint32_t like, std::span<const RowChange> changes);

  // ---- reading ------------------------------------------------------------------

  // Words of the summary, then the places of blocks.
  const std::uint64_t* row(std::uint32_t number) const noexcept {
    return rows_.data() + std::size_t{number} * stride_;
  }
  const std::uint64_t* blocks() const noexcept { return blocks_.data(); }

  // Word w of a row with so many words of summary.
  static std::uint64_t word(const std::uint64_t* row, const std::uint64_t* blocks,
                            std::size_t summaries, std::size_t w) noexcept {
    return blocks[block(row, summaries, w / kBlockWords) * kBlockWords + w % kBlockWords];
  }

  // Gives back the memory that was kept to append more.
  void shrink();
  std::size_t bytes() const noexcept;

 private:
  // The place of the row's block; two numbers lie in a word.
  static std::size_t block(const std::uint64_t* row, std::size_t summaries,
                           std::size_t number) noexcept {
    return row[summaries + number / 2] >> number % 2 * 32 & 0xffff'ffff;
  }
  void set_block(std::uint64_t* row, std::size_t number, std::size_t place) noexcept;
  void append(std::span<const std::uint64_t> words);

  std::size_t summaries_ = 0;  // words of a row's summary
  std::size_t stride_ = 0;     // words of a row
  std::vector<std::uint64_t> rows_;
  std::vector<std::uint64_t> blocks_;
};

}  // namespace nfsteer
