#include "field.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

Result<Interval> parse(std::string_view text) {
  const auto number = parse_protocol(text);
  if (!number) return fail(format("`{}` is not a protocol", printable(text)));
  return Interval{*number, *number};
}

}  // namespace

const Field k_proto{
    .name = "proto",
    .expects = "a protocol such as \"tcp\" or 6",
    .number = [](const Flow& flow) noexcept -> std::optional<std::uint32_t> {
      return flow.tuple.protocol;
    },
    .parse_interval = parse,
};

}  // namespace nfsteer
