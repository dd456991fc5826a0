#include <pwd.h>

#include "field.hpp"

namespace nfsteer {
namespace {

std::optional<std::uint32_t> find(const char* name) {
  const auto* known = ::getpwnam(name);
  return known ? std::optional<std::uint32_t>(known->pw_uid) : std::nullopt;
}

Result<void> parse(std::string_view text, std::vector<Value>& values) {
  return parse_ids(text, values, "user", find);
}

}  // namespace

const Field k_uid{
    .name = "uid",
    .expects = "a user: a name, a number or a range such as \"1000-1999\"",
    .parse = parse,
    .number = [](const Subject& subject) noexcept -> FieldNumber { return subject.flow.uid; },
};

}  // namespace nfsteer
