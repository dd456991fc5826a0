// Explanations as JSON: the object that `explain --json` prints and the control
// socket carries. Its names are stable; the schema's number grows when one
// changes its meaning or goes.
#pragma once

#include "nfsteer/explain.hpp"
#include "protocol.hpp"

namespace nfsteer {

inline constexpr int kExplanationSchema = 1;

OrderedJson explanation_to_json(const Explanation& explanation);

// The error says what is missing or of another kind than it should be.
Result<Explanation> explanation_from_json(const OrderedJson& json);

}  // namespace nfsteer
