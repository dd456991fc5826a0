#include "field.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

Result<void> parse(std::string_view text, std::vector<Value>& values) {
  if (text.empty()) return fail("a schedule has a name");
  values.emplace_back(std::string(text));
  return {};
}

}  // namespace

const Field k_schedule{
    .name = "schedule",
    .expects = "the name of a schedule",
    .parse = parse,
};

}  // namespace nfsteer
