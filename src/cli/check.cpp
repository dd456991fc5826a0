#include <memory>

#include "command.hpp"
#include "nfsteer/base/text.hpp"
#include "output.hpp"
#include "rules_file.hpp"

namespace nfsteer {
namespace {

struct Options {
  std::string file;
  bool quiet = false;
};

std::string summary(const Config& config) {
  std::size_t routes = 0, servers = 0;
  for (const TableConfig& table : config.tables) routes += table.routes.size();
  for (const GroupConfig& group : config.groups) servers += group.servers.size();
  return format(
      "{}, {} ({}), {}, {}", counted(config.policies.size(), "policy", "policies"),
      counted(config.tables.size(), "table", "tables"), counted(routes, "route", "routes"),
      counted(config.groups.size(), "group", "groups"), counted(servers, "server", "servers"));
}

Exit check(const Options& options) {
  const auto config = load_or_complain(options.file);
  if (!config) return Exit::ConfigInvalid;
  return options.quiet ? Exit::Ok : print(format("{}: ok   {}\n", options.file, summary(*config)));
}

}  // namespace

Command check_command(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("FILE", options->file, "Rules file; - is standard input")
      ->required()
      ->type_name("");
  app.add_flag("-q,--quiet", options->quiet, "Say nothing where the file is good");
  return [options] { return check(*options); };
}

}  // namespace nfsteer
