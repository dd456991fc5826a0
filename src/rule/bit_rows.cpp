#include "bit_rows.hpp"

#include <algorithm>
#include <array>

namespace nfsteer {

BitRows::BitRows(std::span<const std::uint64_t> first, std::span<const std::uint64_t> second)
    : summaries_((first.size() + 63) / 64),
      stride_(summaries_ + (first.size() + 2 * kBlockWords - 1) / (2 * kBlockWords)) {
  append(first);
  append(second);
}

void BitRows::append(std::span<const std::uint64_t> words) {
  const std::size_t start = rows_.size();
  rows_.resize(start + stride_);
  std::uint64_t* row = rows_.data() + start;
  for (std::size_t w = 0; w < words.size(); ++w) {
    if (words[w] != 0) row[w / 64] |= std::uint64_t{1} << w % 64;
    if (w % kBlockWords == 0) set_block(row, w / kBlockWords, blocks_.size() / kBlockWords);
    blocks_.push_back(words[w]);
  }
  blocks_.resize((blocks_.size() + kBlockWords - 1) / kBlockWords * kBlockWords);
}

void BitRows::append(std::uint32_t like, std::span<const RowChange> changes) {
  const std::size_t start = rows_.size();
  rows_.resize(start + stride_);
  std::uint64_t* row = rows_.data() + start;
  const std::uint64_t* second = this->row(1);
  std::copy_n(this->row(like), stride_, row);
  while (!changes.empty()) {
    constexpr std::size_t kBlockRules = kBlockWords * 64;
    const std::size_t number = changes[0].bit / kBlockRules;
    std::array<std::uint64_t, kBlockWords> made;
    const auto at = [&](const std::uint64_t* of) {
      return blocks_.begin() +
             static_cast<std::ptrdiff_t>(block(of, summaries_, number) * kBlockWords);
    };
    std::copy_n(at(row), kBlockWords, made.begin());
    for (; !changes.empty() && changes[0].bit / kBlockRules == number;
         changes = changes.subspan(1)) {
      const std::uint32_t index = changes[0].bit;
      std::uint64_t& word = made[index / 64 % kBlockWords];
      const std::uint64_t bit = std::uint64_t{1} << index % 64;
      const std::uint64_t mark = std::uint64_t{1} << index / 64 % 64;
      word = changes[0].holds ? word | bit : word & ~bit;
      std::uint64_t& summary = row[index / 64 / 64];
      summary = word != 0 ? summary | mark : summary & ~mark;
    }
    if (std::equal(made.begin(), made.end(), at(second))) {
      set_block(row, number, block(second, summaries_, number));
    } else {
      set_block(row, number, blocks_.size() / kBlockWords);
      blocks_.insert(blocks_.end(), made.begin(), made.end());
    }
  }
}

void BitRows::set_block(std::uint64_t* row, std::size_t number, std::size_t place) noexcept {
  std::uint64_t& word = row[summaries_ + number / 2];
  const unsigned shift = number % 2 * 32;
  word = (word & ~(std::uint64_t{0xffff'ffff} << shift)) | std::uint64_t{place} << shift;
}

void BitRows::shrink() {
  rows_.shrink_to_fit();
  blocks_.shrink_to_fit();
}

std::size_t BitRows::bytes() const noexcept {
  return (rows_.capacity() + blocks_.capacity()) * sizeof(std::uint64_t);
}

}  // namespace nfsteer
