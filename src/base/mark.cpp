#include "nfsteer/base/mark.hpp"

#include "nfsteer/base/text.hpp"

namespace nfsteer {

Result<MarkLayout> make_mark_layout(std::uint32_t mask) {
  constexpr int kBitsMin = 3, kBitsMax = 16;
  const int bits = std::popcount(mask);
  const MarkLayout layout{mask};
  if (mask == 0 || !std::has_single_bit(std::uint64_t{layout.top()} + 1))
    return fail(
        format("mark_mask {:#010x} is not contiguous: its bits must be one run, "
               "such as 0xfff00000",
               mask));
  if (bits < kBitsMin || bits > kBitsMax)
    return fail(
        format("mark_mask {:#010x} has {} bits: {} to {} are possible, "
               "and n bits have room for 2^n - 3 servers",
               mask, bits, kBitsMin, kBitsMax));
  return layout;
}

}  // namespace nfsteer
