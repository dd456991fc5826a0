#include <memory>
#include <string>
#include <utility>

#include "command.hpp"
#include "nfsteer/engine.hpp"
#include "nfsteer/replay.hpp"
#include "output.hpp"
#include "replay_text.hpp"
#include "rules_file.hpp"

namespace nfsteer {
namespace {

struct Options {
  std::string before, after;
  bool json = false;
};

// Each flow is decided as if it were the only one.
Config without_memory(Config config) {
  config.cache.entries = 0;
  config.cache.route_entries = 0;
  for (GroupConfig& group : config.groups) group.affinity.reset();
  return config;
}

Exit plan(const Options& options) {
  auto before = load_or_complain(options.before);
  auto after = load_or_complain(options.after);
  if (!before || !after) return Exit::ConfigInvalid;
  Rehearsal old_one(without_memory(*std::move(before)));
  Rehearsal new_one(without_memory(*std::move(after)));
  MadeFlows flows({&old_one.snapshot(), &new_one.snapshot()});
  const Comparison comparison =
      compare(flows, old_one, new_one, [](const auto&, const auto&, const auto&) { return true; });
  const Exit printed =
      print(options.json ? json_of(comparison, nullptr) + '\n'
                         : comparison_text(comparison, {options.before, options.after}));
  return printed == Exit::Ok && comparison.differs() ? Exit::Differs : printed;
}

Exit check_and_plan(const Options& options) {
  if (options.before != "-" || options.after != "-") return plan(options);
  complain("standard input can be one of the files only");
  return Exit::Usage;
}

}  // namespace

Command plan_command(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("FILE", options->after, "The rules file that is to be; - is standard input")
      ->required()
      ->type_name("");
  app.add_option("-c,--config", options->before, "The rules file that is; - is standard input")
      ->required()
      ->type_name("FILE");
  app.add_flag("--json", options->json, "For programs: one JSON object of stable names");
  app.footer(
      "The flows are made up so that each rule of both files is met, at both sides of each\n"
      "bound of its ports, prefixes and the like. How many of them move says nothing of how\n"
      "many of yours will: for that see `nfsteer replay --against`.\n"
      "Exit code 10 where the files decide differently, 0 where they do not.");
  return [options] { return check_and_plan(*options); };
}

}  // namespace nfsteer
