#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "affinity_json.hpp"
#include "change_json.hpp"
#include "explanation_json.hpp"
#include "nfsteer/base/fd.hpp"
#include "nfsteer/engine.hpp"
#include "protocol.hpp"
#include "reply.hpp"
#include "status_json.hpp"
#include "unix_address.hpp"

namespace nfsteer {
namespace {

using std::chrono::microseconds;
using Kind = ClientError::Kind;

// The status of 65,535 servers has 10 MB; more than this is not our engine.
constexpr std::size_t kAnswerBytesMax = 64u << 20;

// One request and its answer, on a connection of its own, within one span of
// time for all of it.
class Exchange {
 public:
  Exchange(const std::string& path, std::chrono::milliseconds patience)
      : path_(path), patience_(patience), deadline_(Clock::now() + patience) {}

  // The answer's text, without the NUL at its end.
  ClientResult<std::string> run(std::string request) {
    if (auto connected = connect(); !connected) return tl::unexpected(connected.error());
    request += kMessageEnd;
    if (auto sent = send(request); !sent) return tl::unexpected(sent.error());
    return receive();
  }

 private:
  using Clock = std::chrono::steady_clock;

  ClientResult<void> connect() {
    const auto address = unix_address(path_);
    if (!address) return failure(Kind::NotRunning, address.error().message);
    socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket_) return failure(Kind::Broken, format("no socket: {}", std::strerror(errno)));
    if (!limit(SO_SNDTIMEO)) return too_late();
    if (::connect(socket_.get(), as_sockaddr(*address), sizeof(*address)) == 0) return {};
    switch (errno) {
      case ENOENT:
      case ECONNREFUSED:
        return failure(Kind::NotRunning,
                       format("no engine answers at {}: start one with `nfsteer run FILE` or "
                              "`systemctl start nfsteer`",
                              path_));
      case EACCES:
        return failure(Kind::NotPermitted, format("no access to {}", path_));
      case EAGAIN:
        return too_late();
      default:
        return failure(Kind::Broken, format("{}: {}", path_, std::strerror(errno)));
    }
  }

  ClientResult<void> send(std::string_view text) {
    while (!text.empty()) {
      if (!limit(SO_SNDTIMEO)) return too_late();
      const ssize_t sent = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent < 0) {
        if (errno == EINTR) continue;
        return errno == EAGAIN ? too_late() : hung_up();
      }
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
  }

  ClientResult<std::string> receive() {
    std::string text;
    char chunk[65536];
    while (text.size() < kAnswerBytesMax) {
      if (!limit(SO_RCVTIMEO)) return too_late();
      const ssize_t got = ::recv(socket_.get(), chunk, sizeof(chunk), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return too_late();
      if (got <= 0) return hung_up();
      const std::string_view part(chunk, static_cast<std::size_t>(got));
      const std::size_t end = part.find(kMessageEnd);
      text += part.substr(0, end);
      if (end != part.npos) return text;
    }
    return failure(Kind::Broken,
                   format("the answer at {} has no end: not an nfsteer engine", path_));
  }

  // Lets the next call of its kind wait until the deadline; false where that
  // has passed.
  bool limit(int option) const {
    const auto left = std::chrono::duration_cast<microseconds>(deadline_ - Clock::now());
    if (left <= microseconds::zero()) return false;
    const timeval span{.tv_sec = left.count() / 1'000'000, .tv_usec = left.count() % 1'000'000};
    return ::setsockopt(socket_.get(), SOL_SOCKET, option, &span, sizeof(span)) == 0;
  }

  tl::unexpected<ClientError> too_late() const {
    return failure(Kind::Broken, format("the engine at {} did not answer within {} s: see "
                                        "`systemctl status nfsteer`",
                                        path_, std::chrono::duration<double>(patience_).count()));
  }
  tl::unexpected<ClientError> hung_up() const {
    return failure(Kind::Broken,
                   format("the engine at {} closed the connection without an answer: it is "
                          "stopping, or has too many clients",
                          path_));
  }

  const std::string& path_;
  const std::chrono::milliseconds patience_;
  const Clock::time_point deadline_;
  Fd socket_;
};

ClientResult<OrderedJson> call(Exchange exchange, std::string_view method,
                               OrderedJson parameters = OrderedJson::object()) {
  const OrderedJson request = {{"method", method}, {"parameters", std::move(parameters)}};
  const auto text = exchange.run(json_text(request));
  if (!text) return tl::unexpected(text.error());
  return read_reply(*text);
}

OrderedJson parameters_for(const AffinityQuestion& question) {
  OrderedJson parameters = OrderedJson::object();
  if (question.group) parameters["group"] = *question.group;
  if (question.client) parameters["client"] = *question.client;
  return parameters;
}

// Long enough for the largest configurations.
constexpr std::chrono::minutes kReloadPatience{5};

template <typename T>
ClientResult<T> read(const ClientResult<OrderedJson>& json,
                     Result<T> (*from_json)(const OrderedJson& json)) {
  if (!json) return tl::unexpected(json.error());
  auto made = from_json(*json);
  if (!made) return failure(Kind::Broken, made.error().message);
  return *std::move(made);
}

}  // namespace

ClientResult<Reload> Client::reload(std::optional<std::chrono::seconds> confirm) const {
  OrderedJson parameters = OrderedJson::object();
  if (confirm) parameters["confirm"] = format("{}", confirm->count());
  return read(call({path_, kReloadPatience}, method::kReload, std::move(parameters)),
              reload_from_json);
}

ClientResult<void> Client::confirm() const {
  const auto done = call({path_, patience_}, method::kConfirm);
  if (!done) return tl::unexpected(done.error());
  return {};
}

ClientResult<Reload> Client::undo() const {
  return read(call({path_, kReloadPatience}, method::kUndo), reload_from_json);
}

ClientResult<Reload> Client::diff(const std::string& path) const {
  return read(call({path_, kReloadPatience}, method::kDiff, {{"path", path}}), reload_from_json);
}

ClientResult<Setting> Client::set_state(const std::string& server, ServerState state) const {
  return read(call({path_, patience_}, method::kSet, {{"server", server}, {"state", name(state)}}),
              setting_from_json);
}

ClientResult<Setting> Client::set_weight(const std::string& server,
                                         const std::string& weight) const {
  return read(call({path_, patience_}, method::kSet, {{"server", server}, {"weight", weight}}),
              setting_from_json);
}

ClientResult<Setting> Client::set_algorithm(const std::string& group,
                                            const std::string& algorithm) const {
  return read(call({path_, patience_}, method::kSet, {{"group", group}, {"algorithm", algorithm}}),
              setting_from_json);
}

ClientResult<Status> Client::status() const {
  const auto json = call({path_, patience_}, method::kStatus);
  if (!json) return tl::unexpected(json.error());
  auto status = status_from_json(*json);
  if (!status) return failure(Kind::Broken, status.error().message);
  return *std::move(status);
}

ClientResult<std::string> Client::status_json() const {
  const auto json = call({path_, patience_}, method::kStatus);
  if (!json) return tl::unexpected(json.error());
  return json_text(*json, 2);
}

ClientResult<Explanation> Client::explain(const FlowQuestion& question) const {
  OrderedJson parameters = {{"flow", question.flow}};
  for (const FlowOption& option : kFlowOptions)
    if (const auto& value = question.*option.value) parameters[option.name] = *value;
  const auto json = call({path_, patience_}, method::kExplain, std::move(parameters));
  if (!json) return tl::unexpected(json.error());
  auto explanation = explanation_from_json(*json);
  if (!explanation) return failure(Kind::Broken, explanation.error().message);
  return *std::move(explanation);
}

ClientResult<AffinityList> Client::affinity(const AffinityQuestion& question) const {
  const auto json = call({path_, patience_}, method::kAffinity, parameters_for(question));
  if (!json) return tl::unexpected(json.error());
  auto list = affinity_from_json(*json);
  if (!list) return failure(Kind::Broken, list.error().message);
  return *std::move(list);
}

ClientResult<std::string> Client::affinity_json(const AffinityQuestion& question) const {
  const auto json = call({path_, patience_}, method::kAffinity, parameters_for(question));
  if (!json) return tl::unexpected(json.error());
  return json_text(*json, 2);
}

ClientResult<std::uint64_t> Client::flush_affinity(const AffinityQuestion& question) const {
  const auto json = call({path_, patience_}, method::kFlushAffinity, parameters_for(question));
  if (!json) return tl::unexpected(json.error());
  return count_in(*json, "clients");
}

ClientResult<StaleFlows> Client::flush_stale(bool dry_run) const {
  const OrderedJson parameters = {{"dry_run", dry_run ? "true" : "false"}};
  const auto json = call({path_, patience_}, method::kFlushStale, parameters);
  if (!json) return tl::unexpected(json.error());
  return stale_flows_in(*json);
}

ClientResult<void> Client::flush_cache() const {
  const auto done = call({path_, patience_}, method::kFlushCache);
  if (!done) return tl::unexpected(done.error());
  return {};
}

ClientResult<void> Client::flush_stats() const {
  const auto done = call({path_, patience_}, method::kFlushStats);
  if (!done) return tl::unexpected(done.error());
  return {};
}

ClientResult<FlushedFlows> Client::flush_flows(const std::optional<std::string>& group,
                                               const std::optional<std::string>& server) const {
  OrderedJson parameters = OrderedJson::object();
  if (group) parameters["group"] = *group;
  if (server) parameters["server"] = *server;
  const auto json = call({path_, patience_}, method::kFlushFlows, std::move(parameters));
  if (!json) return tl::unexpected(json.error());
  const auto flows = count_in(*json, "flows");
  if (!flows) return tl::unexpected(flows.error());
  return FlushedFlows{.flows = *flows};
}

}  // namespace nfsteer
