// Results to stdout, messages to stderr.
#pragma once

#include <string_view>

#include "nfsteer/cli.hpp"
#include "nfsteer/engine.hpp"

namespace nfsteer {

// Writes a command's result. Failed where it could not be written; a reader
// that has seen enough, such as `head`, is no failure.
Exit print(std::string_view result);

// Writes "nfsteer: MESSAGE" to stderr.
void complain(std::string_view message);

// Says why the engine could not be asked.
Exit report(const ClientError& error);

}  // namespace nfsteer
