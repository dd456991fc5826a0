#include "rules_file.hpp"

#include <cstdio>
#include <variant>

#include "nfsteer/base/text.hpp"
#include "nfsteer/config.hpp"
#include "output.hpp"

namespace nfsteer {
namespace {

std::string describe(const std::vector<Diagnostic>& mistakes) {
  std::string text;
  for (const Diagnostic& mistake : mistakes) text += render(mistake);
  // Past the limit, the last of them only counts those that are not shown.
  if (mistakes.size() > kDiagnosticsMax)
    return text + format("More than {} errors.\n", kDiagnosticsMax);
  return text + counted(mistakes.size(), "error", "errors") + ".\n";
}

}  // namespace

std::optional<Config> load_or_complain(const std::string& path) {
  LoadResult loaded = load_config(path);
  if (const auto* mistakes = std::get_if<std::vector<Diagnostic>>(&loaded)) {
    const std::string text = describe(*mistakes);
    std::fwrite(text.data(), 1, text.size(), stderr);
    return std::nullopt;
  }
  return std::get<Config>(std::move(loaded));
}

}  // namespace nfsteer
