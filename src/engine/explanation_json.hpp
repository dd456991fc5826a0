// Explanations as JSON: the object that `explain --json` prints and the control
// socket carries. Its names are stable; the schema's number grows when one
// changes its meaning or goes.
#pragma once

#include "described_json.hpp"
#include "nfsteer/explain.hpp"
#include "protocol.hpp"

namespace nfsteer {

inline constexpr int kExplanationSchema = 1;

template <Is<RouteTaken> S>
void each_field(S& route, auto field) {
  field("prefix", route.prefix);
  field("metric", route.metric);
  field("weight", route.weight);
}

OrderedJson explanation_to_json(const Explanation& explanation);

// The error says what is missing or of another kind than it should be.
Result<Explanation> explanation_from_json(const OrderedJson& json);

}  // namespace nfsteer
