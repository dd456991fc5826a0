// What becomes of flows: `action = "drop"`, and the like.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "nfsteer/base/action.hpp"
#include "node.hpp"
#include "report.hpp"

namespace nfsteer {

// The actions that a rules file can ask for, by name.
inline constexpr std::array<std::string_view, 3> kActionWords{"accept", "drop", "reject"};

// nullopt: not one of them.
std::optional<Action> find_action(std::string_view word) noexcept;

std::optional<Action> read_action(const Node& node, Report& report);

}  // namespace nfsteer
