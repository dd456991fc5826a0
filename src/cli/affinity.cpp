#include <memory>

#include "command.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/engine.hpp"
#include "output.hpp"
#include "text_table.hpp"

namespace nfsteer {
namespace {

struct Options {
  std::string socket = kControlSocketDefault;
  AffinityQuestion question;
  bool json = false;
};

Exit show_json(const Client& client, const AffinityQuestion& question) {
  const auto json = client.affinity_json(question);
  return json ? print(*json + '\n') : report(json.error());
}

Exit show_text(const Client& client, const AffinityQuestion& question) {
  const auto list = client.affinity(question);
  if (!list) return report(list.error());
  using Column = TextTable::Column;
  TextTable table({Column{"GROUP"}, Column{"CLIENT"}, Column{"SERVER"},
                   Column{"AGE", TextTable::Align::Right}});
  for (const AffinityEntry& entry : list->entries)
    table.add({entry.group, entry.client, entry.server, format("{}s", entry.age_s)});
  std::string text = table.text() + counted(list->total, "client", "clients");
  if (list->entries.size() < list->total)
    text += format(", of which {} are shown", list->entries.size());
  return print(text + '\n');
}

}  // namespace

Command affinity_command(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  add_client_options(app, options->question);
  app.add_flag("--json", options->json, "For programs: one JSON object of stable names");
  add_socket_option(app, options->socket);
  return [options] {
    const Client client(options->socket);
    return options->json ? show_json(client, options->question)
                         : show_text(client, options->question);
  };
}

}  // namespace nfsteer
