#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "command.hpp"
#include "explanation_text.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/engine.hpp"
#include "nfsteer/explain.hpp"
#include "output.hpp"
#include "rules_file.hpp"

namespace nfsteer {
namespace {

struct Options {
  std::vector<std::string> words;
  FlowQuestion question;
  std::string file;  // empty: the running engine is asked
  std::string socket = kControlSocketDefault;
  bool json = false;
};

Exit show(const Explanation& explanation, const Options& options) {
  return print(options.json ? json_of(explanation) + '\n' : explanation_text(explanation));
}

Exit ask_engine(const Options& options) {
  const auto explanation = Client(options.socket).explain(options.question);
  return explanation ? show(*explanation, options) : report(explanation.error());
}

Exit explain_by_file(const Options& options, const Flow& flow, Time at) {
  const auto config = load_or_complain(options.file, Expectations::Read);
  if (!config) return Exit::ConfigInvalid;
  GroupStates states;
  const auto snapshot = compile(*config, states);
  return show(explain(*snapshot, situation_at(*snapshot, at), flow, at), options);
}

Exit explain_flow(Options& options) {
  options.question.flow = format("{}", join(options.words, " "));
  const auto flow = parse_flow(options.question);
  const auto at = parse_time(options.question, std::chrono::system_clock::now());
  if (!flow || !at) {
    complain(flow ? at.error().message : flow.error().message);
    return Exit::Usage;
  }
  return options.file.empty() ? ask_engine(options) : explain_by_file(options, *flow, *at);
}

// "--icmp-type" for the parameter "icmp_type".
std::string option_name(const FlowOption& option) {
  std::string name = format("--{}", option.name);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

}  // namespace

Command explain_command(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("FLOW", options->words,
                 "Protocol, source and destination: tcp 192.0.2.7:40000 203.0.113.10:443,\n"
                 "udp [2001:db8::7]:5353 [2001:db8:9::9]:53, icmp 192.0.2.7 203.0.113.10")
      ->required()
      ->type_name("");
  for (const FlowOption& option : kFlowOptions)
    app.add_option(option_name(option), options->question.*option.value, option.summary)
        ->type_name(option.takes);
  auto* file = app.add_option("-c,--config", options->file,
                              "Ask this rules file instead of the engine; - is standard input")
                   ->type_name("FILE");
  app.add_flag("--json", options->json, "For programs: one JSON object of stable names");
  add_socket_option(app, options->socket);
  app.get_option("--socket")->excludes(file);
  return [options] { return explain_flow(*options); };
}

}  // namespace nfsteer
