#include <memory>
#include <optional>

#include "command.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/engine.hpp"
#include "output.hpp"

namespace nfsteer {
namespace {

struct Options {
  std::string socket = kControlSocketDefault;
  std::optional<std::string> group;
  std::optional<std::string> server;
  AffinityQuestion clients;
  bool dry_run = false;
};

Exit flush_cache(const Client& client) {
  const auto done = client.flush_cache();
  return done ? print("cache emptied\n") : report(done.error());
}

Exit flush_stats(const Client& client) {
  const auto done = client.flush_stats();
  return done ? print("counters set to zero\n") : report(done.error());
}

std::string of_whom(const Options& options) {
  if (options.server) return format(" of {}", *options.server);
  if (options.group) return format(" of group {}", *options.group);
  return "";
}

Exit flush_flows(const Client& client, const Options& options) {
  const auto flushed = client.flush_flows(options.group, options.server);
  if (!flushed) return report(flushed.error());
  return print(
      format("{}{} deleted\n", counted(flushed->flows, "flow", "flows"), of_whom(options)));
}

Exit flush_affinity(const Client& client, const Options& options) {
  const auto flushed = client.flush_affinity(options.clients);
  if (!flushed) return report(flushed.error());
  return print(format("{} forgotten\n", counted(*flushed, "client", "clients")));
}

Exit flush_stale(const Client& client, const Options& options) {
  const auto stale = client.flush_stale(options.dry_run);
  if (!stale) return report(stale.error());
  std::string text;
  for (const std::string& flow : stale->flows) text += flow + '\n';
  return print(format("{}{} {}\n", text, counted(stale->flows.size(), "flow", "flows"),
                      options.dry_run ? "would be deleted" : "deleted"));
}

CLI::App* add_flows(CLI::App& app, Options& options) {
  CLI::App* flows = app.add_subcommand(
      "flows",
      "Deletes steered flows from conntrack: TCP connections end, others are decided anew");
  auto* group =
      flows->add_option("--group", options.group, "Only flows of this group")->type_name("GROUP");
  flows->add_option("--server", options.server, "Only flows of this server")
      ->type_name("GROUP/SERVER")
      ->check(check_server_name)
      ->excludes(group);
  return flows;
}

CLI::App* add_affinity(CLI::App& app, Options& options) {
  CLI::App* affinity =
      app.add_subcommand("affinity", "Forgets which clients stay with which servers");
  add_client_options(*affinity, options.clients);
  return affinity;
}

CLI::App* add_stale(CLI::App& app, Options& options) {
  CLI::App* stale = app.add_subcommand(
      "stale", "Deletes UDP flows to servers that are gone: their next packets are decided anew");
  stale->add_flag("--dry-run", options.dry_run, "Only lists them, with the reasons");
  return stale;
}

}  // namespace

Command flush_command(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.require_subcommand(1);
  CLI::App* cache = app.add_subcommand("cache", "Forgets the decisions that the engine remembers");
  CLI::App* stats = app.add_subcommand("stats", "Sets the engine's counters to zero");
  CLI::App* flows = add_flows(app, *options);
  CLI::App* affinity = add_affinity(app, *options);
  CLI::App* stale = add_stale(app, *options);
  for (CLI::App* kind : {cache, stats, flows, affinity, stale})
    add_socket_option(*kind, options->socket);
  return [=] {
    const Client client(options->socket);
    if (cache->parsed()) return flush_cache(client);
    if (stats->parsed()) return flush_stats(client);
    if (affinity->parsed()) return flush_affinity(client, *options);
    if (stale->parsed()) return flush_stale(client, *options);
    return flush_flows(client, *options);
  };
}

}  // namespace nfsteer
