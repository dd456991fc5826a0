#include "explanation_json.hpp"

#include "nfsteer/engine.hpp"

namespace nfsteer {

template <Is<Step> S>
void each_field(S& step, auto field) {
  field("kind", step.kind);
  field("name", step.name);
  field("outcome", step.outcome);
  field("why", step.why);
}

template <Is<Explanation> S>
void each_field(S& explanation, auto field) {
  field("flow", explanation.flow);
  field("at", explanation.at);
  field("action", explanation.action);
  field("policy", explanation.policy);
  field("table", explanation.table);
  field("route", explanation.route);
  field("group", explanation.group);
  field("server", explanation.server);
  field("address", explanation.address);
  field("port", explanation.port);
  field("mark", explanation.mark);
  field("mark_mask", explanation.mark_mask);
  field("failed_group", explanation.failed_group);
  field("kernel", explanation.kernel);
  field("steps", explanation.steps);
  field("policies_left_out", explanation.policies_left_out);
  field("policies_not_reached", explanation.policies_not_reached);
  field("routes_left_out", explanation.routes_left_out);
}

OrderedJson explanation_to_json(const Explanation& explanation) {
  OrderedJson json;
  json["schema"] = kExplanationSchema;
  each_field(explanation, writer(json));
  return json;
}

Result<Explanation> explanation_from_json(const OrderedJson& json) try {
  int schema = 0;
  read_value(json.at("schema"), schema);
  if (schema != kExplanationSchema)
    return fail(format("the engine's explanation is of schema {}, this program reads {}", schema,
                       kExplanationSchema));
  Explanation explanation;
  each_field(explanation, reader(json));
  return explanation;
} catch (const nlohmann::json::exception& error) {
  return fail(format("the engine's explanation cannot be read: {}", error.what()));
}

std::string json_of(const Explanation& explanation) {
  return json_text(explanation_to_json(explanation), 2);
}

}  // namespace nfsteer
