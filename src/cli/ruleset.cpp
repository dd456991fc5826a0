#include <memory>

#include "command.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/engine.hpp"
#include "nfsteer/netlink.hpp"
#include "output.hpp"
#include "rules_file.hpp"

namespace nfsteer {
namespace {

struct Options {
  std::string file;  // empty: the engine's defaults, without servers
  bool remove = false;
};

Exit remove() {
  if (!netlink::may_administer_network()) {
    complain("CAP_NET_ADMIN is needed to change the ruleset: run as root");
    return Exit::NotPermitted;
  }
  if (const auto pid = running_pid()) {
    complain(format("nfsteer (pid {}) uses the table: stop it first", *pid));
    return Exit::Failed;
  }
  if (const auto removed = netlink::remove_ruleset(); !removed) {
    complain(removed.error().message);
    return Exit::Failed;
  }
  return print("table inet nfsteer is gone: new flows are not steered\n");
}

Exit show(const std::string& file) {
  const auto config = file.empty() ? Config() : load_or_complain(file);
  if (!config) return Exit::ConfigInvalid;
  GroupStates states;
  const auto snapshot = compile(*config, states);
  return print(netlink::to_nft(
      netlink::make_ruleset(*snapshot, situation_at(*snapshot, std::chrono::system_clock::now()))));
}

}  // namespace

Command ruleset_command(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  auto* file = app.add_option("FILE", options->file,
                              "Rules file; - is standard input, none is the bare table")
                   ->type_name("");
  app.add_flag("--remove", options->remove, "Delete the table from the kernel")->excludes(file);
  return [options] { return options->remove ? remove() : show(options->file); };
}

}  // namespace nfsteer
