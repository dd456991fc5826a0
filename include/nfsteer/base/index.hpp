// An index that may be absent, in four bytes: what is kept by the million.
#pragma once

#include <cassert>
#include <cstdint>
#include <optional>

namespace nfsteer {

// Used as std::optional<std::uint32_t> is. The highest number is no index.
class OptionalIndex {
 public:
  constexpr OptionalIndex() noexcept = default;
  constexpr OptionalIndex(std::nullopt_t) noexcept {}
  constexpr OptionalIndex(std::uint32_t index) noexcept : value_(index) {}

  constexpr bool has_value() const noexcept { return value_ != kAbsent; }
  constexpr explicit operator bool() const noexcept { return has_value(); }
  constexpr std::uint32_t operator*() const noexcept {
    assert(has_value());
    return value_;
  }
  constexpr void reset() noexcept { value_ = kAbsent; }

  friend constexpr bool operator==(OptionalIndex, OptionalIndex) noexcept = default;

 private:
  static constexpr std::uint32_t kAbsent = 0xffff'ffff;
  std::uint32_t value_ = kAbsent;
};

}  // namespace nfsteer
