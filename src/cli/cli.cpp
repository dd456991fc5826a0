// From the arguments to the command that they name.
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <csignal>
#include <new>
#include <optional>
#include <string_view>
#include <vector>

#include "command.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/engine.hpp"
#include "output.hpp"

namespace nfsteer {
namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no engine runs, 4 not permitted,\n"
    "5 the rules file has mistakes, 10 there are differences. Without a command: status.";

constexpr struct {
  const char* name;
  Command (*make)(CLI::App& app);
  const char* summary;
} kCommands[] = {
#define COMMAND(name, function, summary) {name, function, summary},
#include "commands.def"
#undef COMMAND
};

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  return names;
}

std::string unknown_command(const std::string& word, const std::vector<std::string>& known) {
  const std::vector<std::string_view> views(known.begin(), known.end());
  const auto meant = nearest(word, views);
  return format(
      "there is no command `{}`: {}", printable(word),
      meant ? format("did you mean `{}`?", *meant) : format("there are {}", join(known, ", ")));
}

// What is wrong where a command should be named, better than CLI11 says it.
std::string explain(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> known = command_names(app);
  const std::vector<std::string> words = app.remaining();
  if (known.empty()) return error.what();
  if (!words.empty() && !words.front().starts_with('-'))
    return unknown_command(words.front(), known);
  const bool missing = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  return missing ? format("{} what? There are {}", app.get_name(), join(known, ", "))
                 : error.what();
}

Exit wrong_usage(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* innermost = &app;
  while (!innermost->get_subcommands().empty()) innermost = innermost->get_subcommands().front();
  complain(explain(*innermost, error));
  return Exit::Usage;
}

// Does what the command that was named does; status where none was.
Exit act(const CLI::App& app, const std::vector<Command>& commands) {
  const auto chosen = app.get_subcommands();
  const std::string name = chosen.empty() ? "status" : chosen.front()->get_name();
  std::size_t i = 0;
  while (name != kCommands[i].name) ++i;
  return commands[i]();
}

Exit parse_and_act(int argc, char** argv) {
  CLI::App app("Steers each new network flow to a server.", "nfsteer");
  app.set_version_flag("-V,--version", "nfsteer " NFSTEER_VERSION, "Print the version and exit");
  app.footer(kExitCodes);
  app.require_subcommand(0, 1);
  std::vector<Command> commands;
  for (const auto& command : kCommands)
    commands.push_back(command.make(*app.add_subcommand(command.name, command.summary)));
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return print(app.help());
  } catch (const CLI::CallForVersion& version) {
    return print(format("{}\n", version.what()));
  } catch (const CLI::ParseError& error) {
    return wrong_usage(app, error);
  }
  return act(app, commands);
}

}  // namespace

void add_socket_option(CLI::App& app, std::string& path) {
  app.add_option("--socket", path, "Control socket of the engine")
      ->type_name("PATH")
      ->capture_default_str();
}

std::string check_server_name(const std::string& name) {
  const auto slash = name.find('/');
  if (slash != name.npos && slash > 0 && slash + 1 < name.size()) return "";
  return format("`{}` is not of the form GROUP/SERVER", printable(name));
}

void add_client_options(CLI::App& app, AffinityQuestion& question) {
  app.add_option("--group", question.group, "Only clients of this group")->type_name("GROUP");
  app.add_option("--client", question.client, "Only clients within this prefix")
      ->type_name("PREFIX");
}

int cli_main(int argc, char** argv) {
  // A reader that goes away is an error of write(), and never ends the engine.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return static_cast<int>(parse_and_act(argc, argv));
  } catch (const std::bad_alloc&) {
    complain("out of memory");
    return static_cast<int>(Exit::Failed);
  }
}

}  // namespace nfsteer
