#include "field.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

Result<void> parse(std::string_view text, std::vector<Value>& values) {
  constexpr std::uint64_t kMax = 0xffff'ffff;
  const std::size_t slash = text.find('/');
  const auto value = parse_number(text.substr(0, slash));
  const auto mask =
      slash == std::string_view::npos ? std::optional(kMax) : parse_number(text.substr(slash + 1));
  if (!value || !mask || *value > kMax || *mask > kMax)
    return fail(format("`{}` is not a mark of 32 bits", printable(text)));
  if ((*value & ~*mask) != 0)
    return fail(format("the mark {:#x} has bits outside its mask {:#x}: {:#x}/{:#x}", *value, *mask,
                       *value & *mask, *mask));
  values.emplace_back(
      Masked{static_cast<std::uint32_t>(*value), static_cast<std::uint32_t>(*mask)});
  return {};
}

}  // namespace

const Field k_mark{
    .name = "mark",
    .expects = "a mark such as 16, or with its mask \"0x10/0xff\"",
    .parse = parse,
    .number = [](const Subject& subject) noexcept -> FieldNumber { return subject.flow.mark; },
};

}  // namespace nfsteer
