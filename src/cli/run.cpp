#include <memory>
#include <utility>

#include "command.hpp"
#include "nfsteer/engine.hpp"
#include "nfsteer/netlink.hpp"
#include "output.hpp"
#include "rules_file.hpp"

namespace nfsteer {
namespace {

struct Options {
  std::string file;
  RunOptions run;
};

Exit run(const Options& options) {
  Sources sources;
  auto config = load_or_complain(options.file, sources);
  if (!config) return Exit::ConfigInvalid;
  if (!netlink::may_administer_network()) {
    complain(
        "CAP_NET_ADMIN is needed to bind packet queues: run as root, or with "
        "AmbientCapabilities=CAP_NET_ADMIN");
    return Exit::NotPermitted;
  }
  if (const auto ended = run(std::move(*config), std::move(sources), options.run); !ended) {
    complain(ended.error().message);
    return Exit::Failed;
  }
  return Exit::Ok;
}

}  // namespace

Command run_command(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("FILE", options->file, "Rules file; - is standard input")
      ->required()
      ->type_name("");
  add_socket_option(app, options->run.control_socket);
  app.add_option("--state", options->run.state_directory,
                 "Directory where that is kept which was set while it ran")
      ->type_name("DIRECTORY")
      ->envname("STATE_DIRECTORY")
      ->capture_default_str();
  return [options] { return run(*options); };
}

}  // namespace nfsteer
