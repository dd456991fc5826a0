#include "field.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

Result<void> parse(std::string_view text, std::vector<Value>& values) {
  const auto number = parse_protocol(text);
  if (!number) return fail(format("`{}` is not a protocol", printable(text)));
  values.emplace_back(Interval{*number, *number});
  return {};
}

}  // namespace

const Field k_proto{
    .name = "proto",
    .expects = "a protocol such as \"tcp\" or 6",
    .parse = parse,
    .number = [](const Subject& subject) noexcept -> FieldNumber {
      return subject.flow.tuple.protocol;
    },
};

}  // namespace nfsteer
