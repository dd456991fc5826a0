// The values in the data section of a MaxMind DB file, by its specification 2.0,
// "Data Section". Only what the way to a country needs.
//
// libmaxminddb has functions for it, but version 1.7 skips what is between by
// calling itself once for each level of nesting: a damaged file overflows the
// stack. Here nothing recurses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace nfsteer {

// Reads values at offsets into the section. What cannot be read is damaged():
// once true, always true, and all values are of type Absent.
class DataSection {
 public:
  enum class Type : std::uint8_t {
    Absent = 0,
    Pointer = 1,
    Text = 2,
    Map = 7,
    Array = 11,
    Container = 12,  // never in a file, like the end marker that follows it
    EndMarker = 13,
    Boolean = 14,
    Float = 15,
  };
  struct Value {
    Type type = Type::Absent;  // or another of the specification
    std::size_t size = 0;      // bytes of the payload; a map's pairs, an array's elements;
                               // a boolean's value; the offset that a pointer leads to
    std::size_t payload = 0;   // its offset; the first element of a map or array
    std::size_t end = 0;       // behind the payload
  };

  // REQUIRES: the bytes outlive this object
  explicit DataSection(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  // The value, or the one that the pointer there leads to.
  Value at(std::size_t offset);
  // Absent where the value is no map, or has no such key.
  Value member(const Value& map, std::string_view key);
  // Whether all that is in the value there is so many levels deep at most, and
  // pointers in it lead to single values: who reads it by recursion, and follows
  // pointers, is done soon.
  bool is_tame(std::size_t offset, std::size_t levels_max);
  // Empty where the value is no text.
  std::string_view text(const Value& value) const;

  bool damaged() const noexcept { return damaged_; }

 private:
  Value read(std::size_t offset);
  Value read_pointer(unsigned control, std::size_t offset);
  std::size_t read_size(unsigned control, std::size_t& offset);
  std::size_t number(std::size_t offset, std::size_t count);
  std::size_t skip(std::size_t offset);

  std::span<const std::uint8_t> bytes_;
  std::uint32_t values_read_ = 0;
  bool damaged_ = false;
};

}  // namespace nfsteer
