// Messages to the operator, on stderr. Never called between a packet's
// receipt and its verdict.
#pragma once

#include <string>

#include "nfsteer/base/text.hpp"

namespace nfsteer::log {

enum class Level { Debug, Info, Warning, Error };

void set_level(Level level);
void write(Level level, const std::string& message);

template <typename... Args>
void info(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::Info, fmt::format(text, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::Warning, fmt::format(text, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::Error, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace nfsteer::log
