// Random draws by weight at a constant cost: the alias method (Walker, "An
// efficient method for generating discrete random variables with general
// distributions", 1977; built as Vose, "A linear algorithm for generating random
// numbers with a given distribution", 1991).
//
// There are as many slots as numbers to draw, all equally likely. A slot holds one
// number or two, and where it divides between them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace nfsteer {

// Draws 0, 1, 2 ..., each as often as its weight says. Constant after construction.
class AliasTable {
 public:
  // REQUIRES: 1 to 65,536 weights, all above 0
  explicit AliasTable(std::span<const double> weights);

  // `random` is any 64 bits, all values equally likely.
  std::uint16_t draw(std::uint64_t random) const noexcept {
    const Slot& slot = slots_[(random >> 32) * slots_.size() >> 32];
    return static_cast<std::uint32_t>(random) < slot.divide ? slot.own : slot.other;
  }

 private:
  struct Slot {
    std::uint32_t divide = 0;  // of 2^32: below it `own`, from it on `other`
    std::uint16_t own = 0, other = 0;
  };

  std::vector<Slot> slots_;
};

}  // namespace nfsteer
