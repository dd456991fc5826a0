// The syntax of a rules file: the whole tree, or what can be read of it beside
// the lines with mistakes.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "node.hpp"

namespace nfsteer {

struct Syntax {
  std::optional<Node> root;       // where there are mistakes, without their lines
  std::vector<Mistake> mistakes;  // in the order of the file
};

Syntax read_syntax(std::string_view text);

}  // namespace nfsteer
