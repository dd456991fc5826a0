#include "reply.hpp"

#include <utility>
#include <vector>

namespace nfsteer {
namespace {

using Kind = ClientError::Kind;

ClientResult<OrderedJson> parameters_of(const OrderedJson& reply) {
  if (!reply.contains("error")) return reply.at("parameters");
  const auto error = reply.at("error").get<std::string>();
  const Kind kind = error == refusal::kNotPermitted    ? Kind::NotPermitted
                    : error == refusal::kConfigInvalid ? Kind::ConfigInvalid
                                                       : Kind::Refused;
  return failure(kind, reply.at("parameters").at("message").get<std::string>());
}

}  // namespace

tl::unexpected<ClientError> failure(Kind kind, std::string message) {
  return tl::unexpected<ClientError>(ClientError{kind, std::move(message)});
}

ClientResult<OrderedJson> read_reply(std::string_view text) {
  const auto reply = parse_json<OrderedJson>(text);
  if (!reply) return failure(Kind::Broken, format("the answer is {}", reply.error().message));
  try {
    return parameters_of(*reply);
  } catch (const nlohmann::json::exception&) {
    return failure(Kind::Broken, "the answer has not the form of an nfsteer engine's");
  }
}

ClientResult<std::uint64_t> count_in(const OrderedJson& parameters, const char* name) {
  if (!parameters.contains(name) || !parameters.at(name).is_number_unsigned())
    return failure(Kind::Broken, format("the answer does not say how many {}", name));
  return parameters.at(name).get<std::uint64_t>();
}

ClientResult<StaleFlows> stale_flows_in(const OrderedJson& parameters) {
  try {
    return StaleFlows{parameters.at("flows").get<std::vector<std::string>>()};
  } catch (const nlohmann::json::exception&) {
    return failure(Kind::Broken, "the answer does not say which flows");
  }
}

}  // namespace nfsteer
