// TOML to a tree, by TOML++, which is included here only: its headers take
// long to compile.
#pragma once

#include <string_view>
#include <variant>

#include "node.hpp"

namespace nfsteer {

// The tree of a text, or its first mistake.
// REQUIRES: find_hazard(text) found nothing
std::variant<Node, Mistake> parse_toml(std::string_view text);

}  // namespace nfsteer
