// reload, confirm, undo, diff
#include <chrono>
#include <filesystem>
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
  std::string confirm;  // a duration; empty: none
  std::string file;
};

std::string changes_text(const Reload& reload) {
  std::string text;
  for (const std::string& change : reload.changes) text += change + '\n';
  if (reload.changes_left_out > 0) text += format("and {} more\n", reload.changes_left_out);
  return text;
}

Exit show(const ClientResult<Reload>& reloaded) {
  if (!reloaded) return report(reloaded.error());
  std::string text = changes_text(*reloaded);
  if (text.empty()) text = "nothing has changed\n";
  text += format("configuration {} in force after {:.1f} ms", reloaded->generation,
                 reloaded->seconds * 1'000);
  if (reloaded->confirm_within_s)
    text += format(": `nfsteer confirm` within {} s, or the one before comes back",
                   *reloaded->confirm_within_s);
  return print(text + '\n');
}

Exit reload(const Options& options) {
  std::optional<std::chrono::seconds> confirm;
  if (!options.confirm.empty()) {
    const auto wanted = parse_duration(options.confirm);
    if (!wanted || *wanted < std::chrono::seconds(1)) {
      complain(wanted ? "--confirm needs one second at least" : wanted.error().message);
      return Exit::Usage;
    }
    confirm = std::chrono::duration_cast<std::chrono::seconds>(*wanted);
  }
  return show(Client(options.socket).reload(confirm));
}

Exit confirm(const Options& options) {
  const auto confirmed = Client(options.socket).confirm();
  return confirmed ? print("confirmed\n") : report(confirmed.error());
}

Exit diff(const Options& options) {
  std::error_code failed;
  const auto path = std::filesystem::absolute(options.file, failed);
  const auto found = Client(options.socket).diff(path.string());
  if (!found) return report(found.error());
  const std::string text = changes_text(*found);
  if (text.empty()) return print("no difference\n");
  const Exit printed = print(text);
  return printed == Exit::Ok ? Exit::Differs : printed;
}

}  // namespace

Command reload_command(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("--confirm", options->confirm,
                 "The rules of before come back after this time, such as 60s, if nobody confirms")
      ->type_name("TIME");
  add_socket_option(app, options->socket);
  return [options] { return reload(*options); };
}

Command confirm_command(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  add_socket_option(app, options->socket);
  return [options] { return confirm(*options); };
}

Command undo_command(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  add_socket_option(app, options->socket);
  return [options] { return show(Client(options->socket).undo()); };
}

Command diff_command(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("FILE", options->file, "Rules file, as the engine is to read it")
      ->required()
      ->type_name("");
  add_socket_option(app, options->socket);
  return [options] { return diff(*options); };
}

}  // namespace nfsteer
