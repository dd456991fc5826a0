#include "output.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "nfsteer/base/text.hpp"

namespace nfsteer {

Exit print(std::string_view result) {
  if (std::fwrite(result.data(), 1, result.size(), stdout) == result.size() &&
      std::fflush(stdout) == 0)
    return Exit::Ok;
  if (errno == EPIPE) return Exit::Ok;
  complain(format("the result cannot be written: {}", std::strerror(errno)));
  return Exit::Failed;
}

void complain(std::string_view message) {
  const std::string line = format("nfsteer: {}\n", message);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

Exit report(const ClientError& error) {
  if (error.kind == ClientError::Kind::ConfigInvalid) {  // each mistake at its place
    std::fwrite(error.message.data(), 1, error.message.size(), stderr);
    return Exit::ConfigInvalid;
  }
  complain(error.message);
  switch (error.kind) {
    case ClientError::Kind::NotRunning:
      return Exit::NotRunning;
    case ClientError::Kind::NotPermitted:
      return Exit::NotPermitted;
    case ClientError::Kind::ConfigInvalid:
    case ClientError::Kind::Refused:
    case ClientError::Kind::Broken:
      break;
  }
  return Exit::Failed;
}

}  // namespace nfsteer
