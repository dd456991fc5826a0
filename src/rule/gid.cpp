#include <grp.h>

#include "field.hpp"

namespace nfsteer {
namespace {

std::optional<std::uint32_t> find(const char* name) {
  const auto* known = ::getgrnam(name);
  return known ? std::optional<std::uint32_t>(known->gr_gid) : std::nullopt;
}

Result<void> parse(std::string_view text, std::vector<Value>& values) {
  return parse_ids(text, values, "group of users", find);
}

}  // namespace

const Field k_gid{
    .name = "gid",
    .expects = "a group of users: a name, a number or a range such as \"1000-1999\"",
    .parse = parse,
    .number = [](const Subject& subject) noexcept -> FieldNumber { return subject.flow.gid; },
};

}  // namespace nfsteer
