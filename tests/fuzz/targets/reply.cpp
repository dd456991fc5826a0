// What something at the control socket's other end could answer to a client: it is
// refused, or read as a value that is written, and read again, as the same.
#include "engine/reply.hpp"

#include "../fuzz.hpp"
#include "cli/explanation_text.hpp"
#include "cli/status_text.hpp"
#include "engine/affinity_json.hpp"
#include "engine/change_json.hpp"
#include "engine/explanation_json.hpp"
#include "engine/status_json.hpp"

using namespace nfsteer;

namespace {

template <typename T>
void check_again(const T& value, OrderedJson (*write)(const T&),
                 Result<T> (*read)(const OrderedJson&)) {
  const OrderedJson written = write(value);
  const auto again = read(written);
  FUZZ_CHECK(again.has_value());
  FUZZ_CHECK(json_text(write(*again)) == json_text(written));
}

}  // namespace

FUZZ_TARGET(reply) {
  const auto parameters = read_reply(fuzz::text_of(input));
  if (!parameters) {
    FUZZ_CHECK(!json_text(OrderedJson(parameters.error().message)).empty());
    return;
  }
  (void)count_in(*parameters, "flows");
  (void)stale_flows_in(*parameters);
  if (const auto status = status_from_json(*parameters)) {
    check_again<Status>(*status, status_to_json, status_from_json);
    FUZZ_CHECK(!status_text(*status).empty());
  }
  if (const auto explanation = explanation_from_json(*parameters)) {
    check_again<Explanation>(*explanation, explanation_to_json, explanation_from_json);
    FUZZ_CHECK(!explanation_text(*explanation).empty());
  }
  if (const auto list = affinity_from_json(*parameters))
    check_again<AffinityList>(*list, affinity_to_json, affinity_from_json);
  if (const auto reload = reload_from_json(*parameters))
    check_again<Reload>(*reload, reload_to_json, reload_from_json);
  if (const auto setting = setting_from_json(*parameters))
    check_again<Setting>(*setting, setting_to_json, setting_from_json);
}
