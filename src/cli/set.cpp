// drain, undrain, maintenance, set
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "command.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/engine.hpp"
#include "output.hpp"

namespace nfsteer {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string socket = kControlSocketDefault;
  std::string server;
  bool wait = false;
  std::string timeout = "15m";
};

Exit show(const Setting& setting) {
  std::string text = format("{}  {} -> {}", setting.subject, setting.before, setting.after);
  if (setting.active > 0)
    text += format("   {} left", counted(setting.active, "connection", "connections"));
  if (!setting.warning.empty()) complain(setting.warning);
  return print(text + '\n');
}

// The flows that the server has now; nullopt: there is no such server any more.
std::optional<std::uint64_t> active_of(const Status& status, std::string_view name) {
  for (const GroupStatistics& group : status.counted.groups)
    for (const ServerStatistics& server : group.servers)
      if (format("{}/{}", group.name, server.name) == name) return server.traffic.active;
  return std::nullopt;
}

Exit wait_until_idle(const Client& client, const Options& options,
                     std::chrono::milliseconds limit) {
  constexpr std::chrono::milliseconds kLook{200};
  const auto start = Clock::now();
  for (std::optional<std::uint64_t> told;;) {
    const auto status = client.status();
    if (!status) return report(status.error());
    const auto active = active_of(*status, options.server);
    if (!active) {
      complain(format("there is no server `{}` any more", printable(options.server)));
      return Exit::Failed;
    }
    const auto passed = Clock::now() - start;
    if (*active == 0)
      return print(format("{}  drained in {:.1f} s\n", options.server,
                          std::chrono::duration<double>(passed).count()));
    if (told != active) {
      told = active;
      if (const Exit printed = print(
              format("{}  {}\n", options.server, counted(*active, "connection", "connections")));
          printed != Exit::Ok)
        return printed;
    }
    if (passed > limit) {
      complain(
          format("{} still has {}", options.server, counted(*active, "connection", "connections")));
      return Exit::Failed;
    }
    std::this_thread::sleep_for(kLook);
  }
}

Exit set_state(const Options& options, ServerState state) {
  const auto limit = parse_duration(options.timeout);
  if (!limit) {
    complain(limit.error().message);
    return Exit::Usage;
  }
  const Client client(options.socket);
  const auto set = client.set_state(options.server, state);
  if (!set) return report(set.error());
  const Exit shown = show(*set);
  return shown == Exit::Ok && options.wait ? wait_until_idle(client, options, *limit) : shown;
}

std::shared_ptr<Options> add_options(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("SERVER", options->server, "GROUP/SERVER")
      ->required()
      ->type_name("")
      ->check(check_server_name);
  add_socket_option(app, options->socket);
  return options;
}

void add_wait(CLI::App& app, Options& options) {
  auto* wait = app.add_flag("--wait", options.wait, "Waits until the server has no connections");
  app.add_option("--timeout", options.timeout, "For so long at most, such as 10m")
      ->type_name("TIME")
      ->needs(wait)
      ->capture_default_str();
}

// `set web/web1 weight 20`, `set web algorithm hash`.
struct SetOptions {
  std::string socket = kControlSocketDefault;
  std::string subject, what, value;
};

Exit set(const SetOptions& options) {
  const Client client(options.socket);
  const bool is_server = options.subject.find('/') != std::string::npos;
  if (is_server != (options.what == "weight")) {
    complain("a server (GROUP/SERVER) has a weight, a group has an algorithm");
    return Exit::Usage;
  }
  const auto done = is_server ? client.set_weight(options.subject, options.value)
                              : client.set_algorithm(options.subject, options.value);
  return done ? show(*done) : report(done.error());
}

}  // namespace

Command drain_command(CLI::App& app) {
  const auto options = add_options(app);
  add_wait(app, *options);
  return [options] { return set_state(*options, ServerState::Drain); };
}

Command undrain_command(CLI::App& app) {
  const auto options = add_options(app);
  return [options] { return set_state(*options, ServerState::Up); };
}

Command maintenance_command(CLI::App& app) {
  const auto options = add_options(app);
  add_wait(app, *options);
  return [options] { return set_state(*options, ServerState::Maintenance); };
}

Command set_command(CLI::App& app) {
  const auto options = std::make_shared<SetOptions>();
  app.add_option("SUBJECT", options->subject, "GROUP/SERVER, or GROUP")->required()->type_name("");
  app.add_option("WHAT", options->what, "weight of a server, or algorithm of a group")
      ->required()
      ->type_name("")
      ->check(CLI::IsMember({"weight", "algorithm"}));
  app.add_option("VALUE", options->value, "20, or 50% of what the rules file says; or a name")
      ->required()
      ->type_name("");
  add_socket_option(app, options->socket);
  return [options] { return set(*options); };
}

}  // namespace nfsteer
