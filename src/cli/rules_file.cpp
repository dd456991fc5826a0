#include "rules_file.hpp"

#include <cstdio>
#include <variant>

namespace nfsteer {
namespace {

std::optional<Config> take_or_complain(LoadResult loaded) {
  if (const auto* mistakes = std::get_if<std::vector<Diagnostic>>(&loaded)) {
    const std::string text = render(*mistakes);
    std::fwrite(text.data(), 1, text.size(), stderr);
    return std::nullopt;
  }
  return std::get<Config>(std::move(loaded));
}

}  // namespace

std::optional<Config> load_or_complain(const std::string& path, Expectations expectations) {
  return take_or_complain(load_config(path, expectations));
}

std::optional<Config> load_or_complain(const std::string& path, Sources& sources) {
  return take_or_complain(load_config(path, sources));
}

}  // namespace nfsteer
