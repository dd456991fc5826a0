#include <memory>

#include "command.hpp"
#include "nfsteer/engine.hpp"
#include "output.hpp"
#include "status_text.hpp"

namespace nfsteer {
namespace {

struct Options {
  std::string socket = kControlSocketDefault;
  bool json = false;
};

Exit show_json(const Client& client) {
  const auto json = client.status_json();
  return json ? print(*json + '\n') : report(json.error());
}

Exit show_text(const Client& client) {
  const auto status = client.status();
  return status ? print(status_text(*status)) : report(status.error());
}

}  // namespace

Command status_command(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_flag("--json", options->json, "For programs: one JSON object of stable names");
  add_socket_option(app, options->socket);
  return [options] {
    const Client client(options->socket);
    return options->json ? show_json(client) : show_text(client);
  };
}

}  // namespace nfsteer
