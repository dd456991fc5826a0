#include <grp.h>

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
  const auto* known = name.find('\0') == name.npos ? ::getgrnam(name.c_str()) : nullptr;
  if (!known || name.empty())
    return fail(format("there is no group of users `{}` on this machine", printable(text)));
  values.emplace_back(Interval{known->gr_gid, known->gr_gid});
  return {};
}

}  // namespace

const Field k_gid{
    .name = "gid",
    .expects = "a group of users: a name, a number or a range such as \"1000-1999\"",
    .parse = parse,
    .number = [](const Subject& subject) noexcept -> FieldNumber { return subject.flow.gid; },
};

}  // namespace nfsteer
