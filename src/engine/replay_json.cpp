// Replays and plans as JSON. The names are stable; the schema's number grows when one
// changes its meaning or goes.
#include "nfsteer/replay.hpp"

#include "explanation_json.hpp"
#include "nfsteer/engine.hpp"

namespace nfsteer {
namespace {

constexpr int kReplaySchema = 1;

}  // namespace

// ---- the capture ------------------------------------------------------------------

template <Is<CaptureCounts> S>
void each_field(S& counts, auto field) {
  using namespace std::chrono;
  field("packets", counts.packets);
  field("opened", counts.opened);
  field("followed", counts.followed);
  field("mid_stream", counts.mid_stream);
  field("apart", counts.apart);
  field("not_ip", counts.not_ip);
  field("malformed", counts.malformed);
  field("truncated", counts.truncated);
  field("backward", counts.backward);
  field("evicted", counts.evicted);
  field("first", counts.first ? std::optional(to_utc_string(*counts.first)) : std::nullopt);
  field("span_us", duration_cast<microseconds>(counts.span).count());
}

// ---- where flows went ---------------------------------------------------------------

template <Is<ReplayReport::PolicyFlows> S>
void each_field(S& policy, auto field) {
  field("name", policy.name);
  field("dry_run", policy.dry_run);
  field("flows", policy.flows);
}

template <Is<ReplayReport::RouteFlows> S>
void each_field(S& route, auto field) {
  each_field(route.route, field);
  field("target", route.target);
  field("flows", route.flows);
}

template <Is<ReplayReport::TableFlows> S>
void each_field(S& table, auto field) {
  field("name", table.name);
  field("flows", table.flows);
  field("default_flows", table.default_flows);
  field("routes", table.routes);
}

template <Is<ReplayReport::ServerFlows> S>
void each_field(S& server, auto field) {
  field("name", server.name);
  field("address", server.address);
  field("port", server.port);
  field("flows", server.flows);
}

template <Is<ReplayReport::GroupFlows> S>
void each_field(S& group, auto field) {
  field("name", group.name);
  field("algorithm", group.algorithm);
  field("flows", group.flows);
  field("failed", group.failed);
  field("able", group.able);
  field("weak", group.is_weak());
  field("fixed", group.is_fixed);
  field("servers", group.servers);
}

template <Is<ReplayReport> S>
void each_field(S& report, auto field) {
  field("flows", report.flows);
  field("actions", report.actions);
  field("policies", report.policies);
  field("tables", report.tables);
  field("no_route", report.no_route);
  field("groups", report.groups);
  field("rules", report.rules);
  field("not_met", report.not_met);
  field("not_met_unlisted", report.not_met_unlisted);
}

// ---- moves ----------------------------------------------------------------------------

template <Is<NamedDecision> S>
void each_field(S& decision, auto field) {
  field("action", decision.action);
  field("policy", decision.policy);
  field("table", decision.table);
  field("route", decision.route);
  field("group", decision.group);
  field("server", decision.server);
  field("address", decision.address);
  field("port", decision.port);
}

template <Is<Move> S>
void each_field(S& move, auto field) {
  field("flows", move.flows);
  field("from", move.from);
  field("to", move.to);
  field("example", move.example);
  field("example_at", to_utc_string(move.example_at));
}

template <Is<ChangedGroup> S>
void each_field(S& group, auto field) {
  field("name", group.name);
  field("changes", group.changes);
  field("flows", group.flows);
}

template <Is<Comparison> S>
void each_field(S& comparison, auto field) {
  field("differs", comparison.differs());
  field("flows", comparison.flows);
  field("moved", comparison.moved);
  field("rerouted", comparison.rerouted);
  field("moves", comparison.moves);
  field("moved_unlisted", comparison.moved_unlisted);
  field("changed", comparison.changed);
  field("before", comparison.before);
  field("after", comparison.after);
}

template <Is<FlowEvent> S>
void each_field(S& event, auto field) {
  using namespace std::chrono;
  field("packet", event.packet);
  field("at", to_utc_string(event.at));
  field("after_us", duration_cast<microseconds>(event.after).count());
  field("flow", flow_text(*event.flow));
}

// ---- the text -------------------------------------------------------------------------

namespace {

OrderedJson new_object() {
  OrderedJson json;
  json["schema"] = kReplaySchema;
  return json;
}

}  // namespace

std::string json_of(const CaptureCounts& capture, const ReplayReport& report) {
  OrderedJson json = new_object();
  json["capture"] = capture;
  each_field(report, writer(json));
  return json_text(json, 2);
}

std::string json_of(const FlowEvent& event, const NamedDecision& decision) {
  OrderedJson json;
  each_field(event, writer(json));
  each_field(decision, writer(json));
  return json_text(json);
}

std::string json_of(const Comparison& comparison, const CaptureCounts* capture) {
  OrderedJson json = new_object();
  if (capture) json["capture"] = *capture;
  each_field(comparison, writer(json));
  return json_text(json, 2);
}

std::string json_of(const FlowEvent& event, const NamedDecision& from, const NamedDecision& to) {
  OrderedJson json;
  each_field(event, writer(json));
  json["from"] = from;
  json["to"] = to;
  return json_text(json);
}

}  // namespace nfsteer
