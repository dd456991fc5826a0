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

// "1 server", "2 servers".
std::string counted(std::uint64_t number, std::string_view singular, std::string_view plural);

}  // namespace nfsteer
