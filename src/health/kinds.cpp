#include <algorithm>
#include <array>

#include "check.hpp"

namespace nfsteer {

std::span<const CheckKind> check_kinds() noexcept {
  static const CheckKind kKinds[] = {
#define CHECK_KIND(name) k_check_##name,
#include "checks.def"
#undef CHECK_KIND
  };
  return kKinds;
}

const CheckKind* find_check_kind(std::string_view name) noexcept {
  const auto all = check_kinds();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const CheckKind& kind) { return kind.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::optional<CheckTarget> target_of(const CheckConfig& check, const Address& address,
                                     std::optional<std::uint16_t> server_port) {
  const CheckKind::Port use = find_check_kind(check.kind)->port;
  if (use == CheckKind::Port::None) return CheckTarget{check.name, address, 0};
  const auto port = check.port ? check.port : server_port;
  if (!port && use == CheckKind::Port::Needed) return std::nullopt;
  return CheckTarget{check.name, address, port.value_or(0)};
}

}  // namespace nfsteer
