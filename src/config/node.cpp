#include "node.hpp"

#include <algorithm>
#include <tuple>

namespace nfsteer {

bool is_before(const Place& a, const Place& b) noexcept {
  return std::tie(a.line, a.column) < std::tie(b.line, b.column);
}

const Node* find_member(const Node& table, std::string_view key) noexcept {
  const auto found = std::lower_bound(
      table.children.begin(), table.children.end(), key,
      [](const Node& child, std::string_view wanted) { return child.key < wanted; });
  return found != table.children.end() && found->key == key ? &*found : nullptr;
}

}  // namespace nfsteer
