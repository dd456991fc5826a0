// The listening end of the control socket.
#pragma once

#include <string>

#include "nfsteer/base/fd.hpp"
#include "nfsteer/base/result.hpp"

namespace nfsteer {

// Listens at `path`. Makes the directory where its last component is missing,
// and takes the place of a socket that nobody answers at; a socket of a living
// engine, or anything that is not a socket, is an error. Everybody may connect:
// rights are the server's business.
Result<Fd> listen_control(const std::string& path);

}  // namespace nfsteer
