#include "output.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "nfsteer/base/text.hpp"

namespace nfsteer {

namespace {

Exit not_written() {
  if (errno == EPIPE) return Exit::Ok;
  complain(format("the result cannot be written: {}", std::strerror(errno)));
  return Exit::Failed;
}

}  // namespace

std::optional<Exit> print_part(std::string_view part) {
  if (std::fwrite(part.data(), 1, part.size(), stdout) == part.size()) return std::nullopt;
  return not_written();
}

Exit print(std::string_view result) {
  if (const auto ended = print_part(result)) return *ended;
  return std::fflush(stdout) == 0 ? Exit::Ok : not_written();
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
