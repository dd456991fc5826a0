// The command line: one file a command in src/cli, one row in commands.def.
#pragma once

namespace nfsteer {

// Exit codes; the same for every command.
enum class Exit : int {
  Ok = 0,
  Failed = 1,
  Usage = 2,
  NotRunning = 3,
  NotPermitted = 4,
  ConfigInvalid = 5,
  Differs = 10,
};

// Runs the command that the arguments name; returns the exit code.
int cli_main(int argc, char** argv);

}  // namespace nfsteer
