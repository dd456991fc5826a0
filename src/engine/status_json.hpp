// Status as JSON: the object that `status --json` prints and the control
// socket carries. Its names are stable; the schema's number grows when one
// changes its meaning or goes.
#pragma once

#include "nfsteer/engine.hpp"
#include "protocol.hpp"

namespace nfsteer {

inline constexpr int kStatusSchema = 1;

OrderedJson status_to_json(const Status& status);

// The error says what is missing or of another kind than it should be.
Result<Status> status_from_json(const OrderedJson& json);

}  // namespace nfsteer
