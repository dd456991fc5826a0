#include "listener.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "unix_address.hpp"

namespace nfsteer {
namespace {

tl::unexpected<Error> system_failure(const std::string& what) {
  return fail(format("{}: {}", what, std::strerror(errno)));
}

Result<void> make_directory(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  if (directory.empty() || ::mkdir(directory.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return system_failure(format("the directory {} cannot be made", directory));
}

Result<Fd> make_socket() {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return system_failure("no socket to control the engine by");
  return socket;
}

// Removes what an engine that died left at the path.
Result<void> clear_path(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};
    return system_failure(path);
  }
  // connect() to a file of another kind is refused as well: it is not ours.
  if (!S_ISSOCK(found.st_mode)) return fail(format("{} is in the way: it is not a socket", path));
  const Result<Fd> probe = make_socket();
  if (!probe) return tl::unexpected(probe.error());
  const int connected = ::connect(probe->get(), as_sockaddr(address), sizeof(address));
  if (connected == 0 || errno == EAGAIN)  // EAGAIN: it lives, and its backlog is full
    return fail(
        format("an engine answers at {} already: give this one a path of its own "
               "with --socket",
               path));
  if (errno != ECONNREFUSED) return system_failure(path);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return system_failure(format("{}, left by an engine that died, cannot be removed", path));
  return {};
}

}  // namespace

Result<Fd> listen_control(const std::string& path) {
  const auto address = unix_address(path);
  if (!address) return tl::unexpected(address.error());
  if (auto made = make_directory(path); !made) return tl::unexpected(made.error());
  if (auto cleared = clear_path(path, *address); !cleared) return tl::unexpected(cleared.error());

  Result<Fd> listener = make_socket();
  if (!listener) return listener;
  if (::bind(listener->get(), as_sockaddr(*address), sizeof(*address)) != 0 ||
      ::chmod(path.c_str(), 0666) != 0 || ::listen(listener->get(), SOMAXCONN) != 0)
    return system_failure(format("cannot listen at {}", path));
  return listener;
}

}  // namespace nfsteer
