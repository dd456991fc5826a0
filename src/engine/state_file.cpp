#include "state_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "nfsteer/base/fd.hpp"
#include "nfsteer/base/file.hpp"
#include "nfsteer/base/text.hpp"
#include "protocol.hpp"

namespace nfsteer {
namespace {

constexpr int kSchema = 1;
constexpr std::size_t kBytesMax = 16u << 20;

OrderedJson json_of(const Overrides::OfServer& server) {
  OrderedJson json = OrderedJson::object();
  if (server.state) json["state"] = name(*server.state);
  if (server.since) json["since"] = to_utc_string(*server.since);
  if (server.weight) json["weight"] = to_string(*server.weight);
  return json;
}

// The text of a key, read by `parse`; an error where it is another kind of value.
template <typename T, typename Parse>
Result<std::optional<T>> read(const Json& json, const char* key, Parse parse) {
  if (!json.contains(key)) return std::optional<T>();
  if (!json.at(key).is_string()) return fail(format("`{}` is not a string", key));
  const Result<T> value = parse(json.at(key).template get<std::string>());
  if (!value) return tl::unexpected(value.error());
  return std::optional<T>(*value);
}

Result<Overrides::OfServer> read_server(const Json& json) {
  const auto state = read<ServerState>(json, "state", parse_server_state);
  const auto since =
      read<Time>(json, "since", [](const std::string& text) { return parse_moment(text, Time()); });
  const auto weight = read<WeightOverride>(json, "weight", parse_weight_override);
  if (!state) return tl::unexpected(state.error());
  if (!since) return tl::unexpected(since.error());
  if (!weight) return tl::unexpected(weight.error());
  return Overrides::OfServer{*state, *since, *weight};
}

Result<EngineState> read_state(const Json& json) {
  if (const auto schema = json.at("schema").get<std::int64_t>(); schema != kSchema)
    return fail(format("it is of schema {}, and this program reads {}", schema, kSchema));
  EngineState state;
  for (const auto& [name, server] : json.at("servers").items()) {
    const auto made = read_server(server);
    if (!made) return fail(format("server {}: {}", printable(name), made.error().message));
    state.overrides.servers[name] = *made;
  }
  json.at("algorithms").get_to(state.overrides.algorithms);
  json.at("checks").get_to(state.checks);
  return state;
}

tl::unexpected<Error> cannot(const std::string& path) {
  return fail(format("{}: {}", path, std::strerror(errno)));
}

}  // namespace

std::string to_text(const EngineState& state) {
  OrderedJson json = {{"schema", kSchema}};
  json["servers"] = OrderedJson::object();
  for (const auto& [name, server] : state.overrides.servers)
    json["servers"][name] = json_of(server);
  json["algorithms"] = state.overrides.algorithms;
  json["checks"] = state.checks;
  return json_text(json, 2);
}

Result<EngineState> parse_engine_state(std::string_view text) try {
  const auto json = parse_json<Json>(text);
  if (!json) return tl::unexpected(json.error());
  return read_state(*json);
} catch (const nlohmann::json::exception& error) {
  return fail(error.what());
}

Result<EngineState> StateFile::load() const {
  if (::access(path_.c_str(), F_OK) != 0 && errno == ENOENT) return EngineState{};
  const auto text = read_regular_file(path_, kBytesMax);
  if (!text) return fail(format("{}: {}", path_, text.error().message));
  auto state = parse_engine_state(*text);
  if (!state) return fail(format("{}: {}", path_, state.error().message));
  return state;
}

Result<void> StateFile::save(std::string_view text) const {
  ::mkdir(path_.substr(0, path_.rfind('/')).c_str(), 0750);
  const std::string fresh = path_ + ".new";
  const Fd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file) return cannot(fresh);
  while (!text.empty()) {
    const ssize_t written = ::write(file.get(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return cannot(fresh);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file.get()) != 0 || ::rename(fresh.c_str(), path_.c_str()) != 0) return cannot(path_);
  return {};
}

}  // namespace nfsteer
