// Requests of clients of the control socket: each is answered in the form of the
// protocol, and those who may only look change nothing.
#include <algorithm>
#include <vector>

#include "../../engine/fake_control.hpp"
#include "../fuzz.hpp"
#include "engine/protocol.hpp"
#include "engine/reply.hpp"
#include "engine/request.hpp"

using namespace nfsteer;

namespace {

constexpr std::string_view kRefusals[] = {refusal::kBadRequest,       refusal::kUnknownMethod,
                                          refusal::kInvalidParameter, refusal::kNotPermitted,
                                          refusal::kConfigInvalid,    refusal::kFailed};

bool is_change(std::string_view asked) {
  return !asked.empty() && !asked.starts_with("explain") && !asked.starts_with("affinity");
}

}  // namespace

FUZZ_TARGET(control_request) {
  fuzz::Input in(input);
  const Rights rights = in.flag() ? Rights::Change : Rights::Look;
  const std::string_view request = fuzz::text_of(in.rest());
  test::FakeControl control;
  std::vector<Answer> answers;
  answer(request, rights, control, [&answers](Answer each) { answers.push_back(std::move(each)); });
  FUZZ_CHECK(answers.size() == 1);  // this control takes no time for anything
  const Answer& given = answers.front();
  FUZZ_CHECK(given.text.find(kMessageEnd) == given.text.npos);
  FUZZ_CHECK(rights == Rights::Change || !is_change(control.asked));

  const auto json = parse_json<Json>(given.text);
  FUZZ_CHECK(json && json->is_object() && json->at("parameters").is_object());
  const auto reply = read_reply(given.text);
  FUZZ_CHECK(reply.has_value() == !json->contains("error"));
  if (reply) return;
  const auto error = json->at("error").get<std::string>();
  FUZZ_CHECK(std::count(std::begin(kRefusals), std::end(kRefusals), error) == 1);
  FUZZ_CHECK(given.hang_up == (error == refusal::kBadRequest));
  FUZZ_CHECK(!reply.error().message.empty());
}
