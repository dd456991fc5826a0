// What an engine answered, as its client reads it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "nfsteer/engine.hpp"
#include "protocol.hpp"

namespace nfsteer {

tl::unexpected<ClientError> failure(ClientError::Kind kind, std::string message);

// The parameters of an answer, or the error that it carries.
ClientResult<OrderedJson> read_reply(std::string_view text);

// The number of that name among the parameters.
ClientResult<std::uint64_t> count_in(const OrderedJson& parameters, const char* name);
ClientResult<StaleFlows> stale_flows_in(const OrderedJson& parameters);

}  // namespace nfsteer
