// Results to stdout, messages to stderr.
#pragma once

#include <optional>
#include <string_view>

#include "nfsteer/cli.hpp"
#include "nfsteer/engine.hpp"

namespace nfsteer {

// Writes a command's result. Failed where it could not be written; a reader
// that has seen enough, such as `head`, is no failure.
Exit print(std::string_view result);

// Writes a part of a long result. Where no more can be written, or nobody reads on: how
// the command ends. print() is called after the last part.
std::optional<Exit> print_part(std::string_view part);

// Writes "nfsteer: MESSAGE" to stderr.
void complain(std::string_view message);

// Says why the engine could not be asked.
Exit report(const ClientError& error);

}  // namespace nfsteer
