#include "node.hpp"

#include <algorithm>
#include <tuple>

namespace nfsteer {

bool is_before(const Place& a, const Place& b) noexcept {
  return std::tie(a.line, a.column) < std::tie(b.line, b.column);
}

bool is_before(const Mistake& a, const Mistake& b) noexcept {
  return a.file == b.file ? is_before(a.place, b.place) : a.file < b.file;
}

const Node* find_member(const Node& table, std::string_view key) noexcept {
  const auto found = std::lower_bound(
      table.children.begin(), table.children.end(), key,
      [](const Node& child, std::string_view wanted) { return child.key < wanted; });
  return found != table.children.end() && found->key == key ? &*found : nullptr;
}

}  // namespace nfsteer
