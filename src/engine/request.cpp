#include "request.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <memory>
#include <ranges>
#include <span>
#include <utility>

#include "affinity_json.hpp"
#include "change_json.hpp"
#include "explanation_json.hpp"
#include "protocol.hpp"
#include "status_json.hpp"

namespace nfsteer {
namespace {

struct Refusal {
  std::string_view error;  // of namespace refusal
  std::string message;
};
template <typename T>
using Outcome = tl::expected<T, Refusal>;

tl::unexpected<Refusal> refuse(std::string_view error, std::string message) {
  return tl::unexpected<Refusal>(Refusal{error, std::move(message)});
}

// ---- methods ----------------------------------------------------------------

// All parameters, of all methods, are optional texts.
using Parameters = std::map<std::string, std::string, std::less<>>;

std::optional<std::string> find(const Parameters& parameters, std::string_view name) {
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::nullopt : std::optional(found->second);
}

Outcome<OrderedJson> status(Control& control, const Parameters&) {
  return status_to_json(control.status());
}

// "flow", and the names of kFlowOptions.
constexpr auto kExplainParameters = [] {
  std::array<std::string_view, 1 + std::size(kFlowOptions)> names{"flow"};
  std::ranges::transform(kFlowOptions, names.begin() + 1, &FlowOption::name);
  return names;
}();

Outcome<OrderedJson> explain(Control& control, const Parameters& parameters) {
  FlowQuestion question{.flow = find(parameters, "flow").value_or("")};
  for (const FlowOption& option : kFlowOptions)
    question.*option.value = find(parameters, option.name);
  const Result<Explanation> explanation = control.explain(question);
  if (!explanation) return refuse(refusal::kInvalidParameter, explanation.error().message);
  return explanation_to_json(*explanation);
}

Outcome<OrderedJson> flush_cache(Control& control, const Parameters&) {
  control.flush_cache();
  return OrderedJson::object();
}

Outcome<OrderedJson> flush_stats(Control& control, const Parameters&) {
  control.flush_stats();
  return OrderedJson::object();
}

constexpr std::array<std::string_view, 2> kFlushFlowsParameters = {"group", "server"};

Outcome<OrderedJson> flush_flows(Control& control, const Parameters& parameters) {
  const auto group = find(parameters, "group");
  const auto server = find(parameters, "server");
  if (group && server)
    return refuse(refusal::kInvalidParameter, "name a group or a server, not both");
  const Result<FlushedFlows> flushed = control.flush_flows(group, server);
  if (!flushed) return refuse(refusal::kFailed, flushed.error().message);
  return OrderedJson{{"flows", flushed->flows}};
}

constexpr std::array<std::string_view, 2> kAffinityParameters = {"group", "client"};

AffinityQuestion affinity_question(const Parameters& parameters) {
  return {find(parameters, "group"), find(parameters, "client")};
}

Outcome<OrderedJson> affinity(Control& control, const Parameters& parameters) {
  const Result<AffinityList> list = control.affinity(affinity_question(parameters));
  if (!list) return refuse(refusal::kInvalidParameter, list.error().message);
  return affinity_to_json(*list);
}

Outcome<OrderedJson> flush_affinity(Control& control, const Parameters& parameters) {
  const Result<std::uint64_t> flushed = control.flush_affinity(affinity_question(parameters));
  if (!flushed) return refuse(refusal::kInvalidParameter, flushed.error().message);
  return OrderedJson{{"clients", *flushed}};
}

constexpr std::array<std::string_view, 1> kFlushStaleParameters = {"dry_run"};

Outcome<OrderedJson> flush_stale(Control& control, const Parameters& parameters) {
  const std::string dry_run = find(parameters, "dry_run").value_or("false");
  if (dry_run != "true" && dry_run != "false")
    return refuse(refusal::kInvalidParameter, "`dry_run` must be \"true\" or \"false\"");
  const Result<StaleFlows> stale = control.flush_stale(dry_run == "true");
  if (!stale) return refuse(refusal::kFailed, stale.error().message);
  return OrderedJson{{"flows", stale->flows}};
}

constexpr std::array<std::string_view, 5> kSetParameters = {"server", "group", "state", "weight",
                                                            "algorithm"};

// Of a server its state or its weight, of a group its algorithm.
Outcome<OrderedJson> set(Control& control, const Parameters& parameters) {
  const auto server = find(parameters, "server"), group = find(parameters, "group");
  const auto state = find(parameters, "state"), weight = find(parameters, "weight");
  const auto algorithm = find(parameters, "algorithm");
  const auto answer = [](const Result<Setting>& setting) -> Outcome<OrderedJson> {
    if (!setting) return refuse(refusal::kFailed, setting.error().message);
    return setting_to_json(*setting);
  };
  if (parameters.size() == 2 && server && state) {
    const auto wanted = parse_server_state(*state);
    if (!wanted) return refuse(refusal::kInvalidParameter, wanted.error().message);
    return answer(control.set_state(*server, *wanted));
  }
  if (parameters.size() == 2 && server && weight) {
    const auto wanted = parse_weight_override(*weight);
    if (!wanted) return refuse(refusal::kInvalidParameter, wanted.error().message);
    return answer(control.set_weight(*server, *wanted));
  }
  if (parameters.size() == 2 && group && algorithm)
    return answer(control.set_algorithm(*group, *algorithm));
  return refuse(refusal::kInvalidParameter,
                "name a `server` and its `state` or `weight`, or a `group` and its `algorithm`");
}

Outcome<OrderedJson> confirm(Control& control, const Parameters&) {
  const Result<void> confirmed = control.confirm();
  if (!confirmed) return refuse(refusal::kFailed, confirmed.error().message);
  return OrderedJson::object();
}

// ---- what takes time

using Done = std::function<void(Outcome<OrderedJson>)>;

// Seconds of a parameter.
constexpr std::uint64_t kConfirmMax_s = 24 * 60 * 60;
constexpr std::array<std::string_view, 1> kReloadParameters = {"confirm"};

Control::ReloadDone answer_with(Done done) {
  return [done = std::move(done)](const tl::expected<Reload, ReloadError>& reload) {
    if (reload) return done(reload_to_json(*reload));
    const bool is_invalid = reload.error().is_invalid;
    done(refuse(is_invalid ? refusal::kConfigInvalid : refusal::kFailed, reload.error().message));
  };
}

void reload(Control& control, const Parameters& parameters, Done done) {
  std::optional<std::chrono::seconds> confirm;
  if (const auto text = find(parameters, "confirm")) {
    const auto seconds = parse_number(*text);
    if (!seconds || *seconds == 0 || *seconds > kConfirmMax_s)
      return done(refuse(refusal::kInvalidParameter,
                         format("`confirm` must be 1 to {} seconds", kConfirmMax_s)));
    confirm = std::chrono::seconds(*seconds);
  }
  control.reload(confirm, answer_with(std::move(done)));
}

void undo(Control& control, const Parameters&, Done done) {
  control.undo(answer_with(std::move(done)));
}

constexpr std::array<std::string_view, 1> kDiffParameters = {"path"};

void diff(Control& control, const Parameters& parameters, Done done) {
  const auto path = find(parameters, "path");
  if (!path || !path->starts_with('/'))
    return done(refuse(refusal::kInvalidParameter, "`path` must be the absolute path of a file"));
  control.diff(*path, answer_with(std::move(done)));
}

struct Method {
  std::string_view name;
  Rights needs;
  std::span<const std::string_view> parameters;
  Outcome<OrderedJson> (*call)(Control& control, const Parameters& parameters);
  void (*start)(Control& control, const Parameters& parameters, Done done) = nullptr;
};

constexpr Method kMethods[] = {
    {method::kStatus, Rights::Look, {}, status},
    {method::kExplain, Rights::Look, kExplainParameters, explain},
    {method::kFlushCache, Rights::Change, {}, flush_cache},
    {method::kFlushStats, Rights::Change, {}, flush_stats},
    {method::kFlushFlows, Rights::Change, kFlushFlowsParameters, flush_flows},
    {method::kAffinity, Rights::Look, kAffinityParameters, affinity},
    {method::kFlushAffinity, Rights::Change, kAffinityParameters, flush_affinity},
    {method::kFlushStale, Rights::Change, kFlushStaleParameters, flush_stale},
    {method::kSet, Rights::Change, kSetParameters, set},
    {method::kConfirm, Rights::Change, {}, confirm},
    {method::kReload, Rights::Change, kReloadParameters, nullptr, reload},
    {method::kUndo, Rights::Change, {}, nullptr, undo},
    // It reads any file that the engine may read, and shows lines of it.
    {method::kDiff, Rights::Change, kDiffParameters, nullptr, diff},
};

// ---- reading a request ------------------------------------------------------

std::string hint(std::string_view word, std::span<const std::string_view> known) {
  const auto meant = nearest(word, known);
  return meant ? format(": did you mean `{}`?", *meant) : std::string();
}

Outcome<const Method*> find_method(const std::string& name) {
  const auto found = std::ranges::find(kMethods, name, &Method::name);
  if (found != std::end(kMethods)) return found;
  std::vector<std::string_view> known;
  for (const Method& method : kMethods) known.push_back(method.name);
  return refuse(refusal::kUnknownMethod,
                format("there is no method `{}`{}", printable(name), hint(name, known)));
}

Outcome<Parameters> read_parameters(const Method& method, const Json& json) {
  Parameters result;
  for (const auto& [name, value] : json.items()) {
    if (std::ranges::find(method.parameters, name) == method.parameters.end())
      return refuse(refusal::kInvalidParameter,
                    format("{} has no parameter `{}`{}", method.name, printable(name),
                           hint(name, method.parameters)));
    if (!value.is_string())
      return refuse(refusal::kInvalidParameter, format("`{}` is not a string", name));
    result.emplace(name, value.get<std::string>());
  }
  return result;
}

// The request as an object with a string "method" and an object "parameters".
Outcome<Json> read_envelope(std::string_view text) {
  Result<Json> request = parse_json<Json>(text);
  if (!request) return refuse(refusal::kBadRequest, request.error().message);
  if (!request->is_object()) return refuse(refusal::kBadRequest, "not a JSON object");
  request->emplace("parameters", Json::object());
  for (const auto& [name, value] : request->items())
    if (name != "method" && name != "parameters")
      return refuse(refusal::kBadRequest, format("unknown key `{}`", printable(name)));
  if (!request->contains("method") || !request->at("method").is_string())
    return refuse(refusal::kBadRequest, "no string `method`");
  if (!request->at("parameters").is_object())
    return refuse(refusal::kBadRequest, "`parameters` is not an object");
  return *std::move(request);
}

struct Call {
  const Method* method = nullptr;
  Parameters parameters;
};

Outcome<Call> read_call(std::string_view text, Rights rights) {
  const auto request = read_envelope(text);
  if (!request) return tl::unexpected(request.error());
  const auto method = find_method(request->at("method").get<std::string>());
  if (!method) return tl::unexpected(method.error());
  if ((*method)->needs == Rights::Change && rights != Rights::Change)
    return refuse(refusal::kNotPermitted,
                  format("{} is for root and for the engine's own user", (*method)->name));
  auto parameters = read_parameters(**method, request->at("parameters"));
  if (!parameters) return tl::unexpected(parameters.error());
  return Call{*method, *std::move(parameters)};
}

Answer refused(const Refusal& why) {
  const OrderedJson json = {{"error", why.error}, {"parameters", {{"message", why.message}}}};
  return {.text = json_text(json), .hang_up = why.error == refusal::kBadRequest};
}

Answer answer_of(const Outcome<OrderedJson>& outcome) {
  if (!outcome) return refused(outcome.error());
  return {.text = json_text(OrderedJson{{"parameters", *outcome}})};
}

// Where the call failed before it had begun to be answered.
void carry_out(std::string_view text, Rights rights, Control& control, const Done& done) {
  const auto call = read_call(text, rights);
  if (!call) return done(tl::unexpected(call.error()));
  if (call->method->start) return call->method->start(control, call->parameters, done);
  done(call->method->call(control, call->parameters));
}

}  // namespace

Answer bad_request(const std::string& reason) {
  return refused({refusal::kBadRequest, reason});
}

void answer(std::string_view request, Rights rights, Control& control,
            std::function<void(Answer)> reply) {
  // A reply that throws is not answered twice.
  const auto is_answered = std::make_shared<bool>(false);
  const Done done = [reply = std::move(reply), is_answered](const Outcome<OrderedJson>& outcome) {
    if (!std::exchange(*is_answered, true)) reply(answer_of(outcome));
  };
  try {
    carry_out(request, rights, control, done);
  } catch (const std::exception& error) {
    done(refuse(refusal::kFailed, error.what()));
  }
}

}  // namespace nfsteer
