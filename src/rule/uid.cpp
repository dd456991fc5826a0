#include <pwd.h>

#include <string>

#include "field.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

Result<void> parse(std::string_view text, std::vector<Value>& values) {
  constexpr std::uint32_t kMax = 0xffff'fffe;  // the number above is none
  if (const auto numbers = parse_interval(text, kMax)) {
    values.emplace_back(*numbers);
    return {};
  }
  const std::string name(text);
  const auto* known = name.find('\0') == name.npos ? ::getpwnam(name.c_str()) : nullptr;
  if (!known || name.empty())
    return fail(format("there is no user `{}` on this machine", printable(text)));
  values.emplace_back(Interval{known->pw_uid, known->pw_uid});
  return {};
}

}  // namespace

const Field k_uid{
    .name = "uid",
    .expects = "a user: a name, a number or a range such as \"1000-1999\"",
    .parse = parse,
    .number = [](const Subject& subject) noexcept -> FieldNumber { return subject.flow.uid; },
};

}  // namespace nfsteer
