// What a command is: a function that adds its options to its part of the
// command line, and returns what the command does once they are read.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <string>

#include "nfsteer/cli.hpp"
#include "nfsteer/engine.hpp"

namespace nfsteer {

using Command = std::function<Exit()>;

#define COMMAND(name, function, summary) Command function(CLI::App& app);
#include "commands.def"
#undef COMMAND

// Adds --socket; `path` keeps its value as the default.
void add_socket_option(CLI::App& app, std::string& path);
// What is wrong with the name of a server; empty where nothing is.
std::string check_server_name(const std::string& name);
// Adds --group and --client.
void add_client_options(CLI::App& app, AffinityQuestion& question);

}  // namespace nfsteer
