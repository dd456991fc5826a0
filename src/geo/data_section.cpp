#include "data_section.hpp"

#include <array>
#include <vector>

namespace nfsteer {
namespace {

// In a whole file, each time that a value is read; so that many records which
// overlap in a large file do not keep us busy for hours. Seconds, at most.
constexpr std::uint32_t kValuesReadMax = 1u << 31;

}  // namespace

// `count` bytes, at most 4, in network order.
std::size_t DataSection::number(std::size_t offset, std::size_t count) {
  if (offset > bytes_.size() || bytes_.size() - offset < count) damaged_ = true;
  if (damaged_) return 0;
  std::size_t value = 0;
  for (const std::uint8_t byte : bytes_.subspan(offset, count)) value = value << 8 | byte;
  return value;
}

DataSection::Value DataSection::read_pointer(unsigned control, std::size_t offset) {
  constexpr std::array<std::size_t, 4> kBase = {0, 2048, 526'336, 0};
  const std::size_t extra = control >> 3 & 3;
  const std::size_t high = extra == 3 ? 0 : (control & 7) << (8 * (extra + 1));
  const std::size_t target = kBase[extra] + (high | number(offset, extra + 1));
  return {Type::Pointer, target, offset, offset + extra + 1};
}

// Moves the offset behind the size.
std::size_t DataSection::read_size(unsigned control, std::size_t& offset) {
  constexpr std::array<std::size_t, 3> kBase = {29, 29 + 256, 29 + 256 + 65'536};
  const std::size_t size = control & 31;
  if (size < kBase[0]) return size;
  const std::size_t extra = size - 28;
  const std::size_t start = offset;
  offset += extra;
  return kBase[extra - 1] + number(start, extra);
}

DataSection::Value DataSection::read(std::size_t offset) {
  if (++values_read_ > kValuesReadMax) damaged_ = true;
  const auto control = static_cast<unsigned>(number(offset++, 1));
  std::size_t type = control >> 5;
  if (type == 0) type = 7 + number(offset++, 1);
  if (type > static_cast<std::size_t>(Type::Float)) damaged_ = true;

  Value value{static_cast<Type>(type), 0, 0, 0};
  if (value.type == Type::Container || value.type == Type::EndMarker) damaged_ = true;
  if (value.type == Type::Pointer) {
    value = read_pointer(control, offset);
  } else {
    value.size = read_size(control, offset);
    value.payload = offset;
    const bool has_bytes =
        value.type != Type::Map && value.type != Type::Array && value.type != Type::Boolean;
    value.end = offset + (has_bytes ? value.size : 0);
    if (value.end > bytes_.size()) damaged_ = true;
  }
  return damaged_ ? Value{} : value;
}

DataSection::Value DataSection::at(std::size_t offset) {
  const Value value = read(offset);
  if (value.type != Type::Pointer) return value;
  const Value target = read(value.size);
  if (target.type == Type::Pointer) damaged_ = true;
  return damaged_ ? Value{} : target;
}

// The offset behind the value there and all that is in it.
std::size_t DataSection::skip(std::size_t offset) {
  for (std::uint64_t left = 1; left > 0 && !damaged_; --left) {
    const Value value = read(offset);
    offset = value.end;
    if (value.type == Type::Map) left += 2 * value.size;
    if (value.type == Type::Array) left += value.size;
  }
  return offset;
}

bool DataSection::is_tame(std::size_t offset, std::size_t levels_max) {
  const auto is_single = [](const Value& value) {
    return value.type != Type::Map && value.type != Type::Array && value.type != Type::Pointer;
  };
  std::vector<std::uint64_t> left{1};  // values, by level
  while (!left.empty() && !damaged_) {
    if (left.back()-- == 0) {
      left.pop_back();
      continue;
    }
    const Value value = read(offset);
    offset = value.end;
    if (value.type == Type::Pointer && !is_single(read(value.size))) return false;
    if (value.type == Type::Map) left.push_back(2 * value.size);
    if (value.type == Type::Array) left.push_back(value.size);
    if (left.size() > levels_max) return false;
  }
  return !damaged_;
}

DataSection::Value DataSection::member(const Value& map, std::string_view key) {
  if (map.type != Type::Map) return {};
  std::size_t offset = map.payload;
  for (std::size_t i = 0; i < map.size && !damaged_; ++i) {
    const Value found = at(offset);
    if (found.type != Type::Text) damaged_ = true;
    const std::size_t behind_key = skip(offset);
    if (!damaged_ && text(found) == key) return at(behind_key);
    offset = skip(behind_key);
  }
  return {};
}

std::string_view DataSection::text(const Value& value) const {
  if (value.type != Type::Text) return {};
  const auto bytes = bytes_.subspan(value.payload, value.size);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace nfsteer
