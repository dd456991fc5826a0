// The address of a unix socket in the file system.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <string>

#include "nfsteer/base/result.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {

inline Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path))
    return fail(format("`{}` cannot be the path of a socket: 1 to {} bytes are possible",
                       printable(path), sizeof(address.sun_path) - 1));
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

// The form in which system calls want it.
inline const sockaddr* as_sockaddr(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace nfsteer
