// The lock is an abstract unix socket: its name belongs to the network namespace,
// as the table and the queues do, and goes away with its process.
#include "namespace_lock.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "nfsteer/base/text.hpp"
#include "nfsteer/engine.hpp"

namespace nfsteer {
namespace {

constexpr char kName[] = "\0nfsteer";
constexpr socklen_t kAddressBytes = offsetof(sockaddr_un, sun_path) + sizeof kName - 1;

sockaddr_un lock_address() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, kName, sizeof kName - 1);
  return address;
}

}  // namespace

Result<Fd> lock_namespace() {
  const sockaddr_un address = lock_address();
  Fd lock(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (lock && ::bind(lock.get(), reinterpret_cast<const sockaddr*>(&address), kAddressBytes) == 0 &&
      ::listen(lock.get(), 1) == 0)
    return lock;
  if (errno != EADDRINUSE) return fail(format("the start's lock: {}", std::strerror(errno)));
  const auto holder = running_pid();
  return fail(format("another nfsteer{} runs in this network namespace",
                     holder ? format(" (pid {})", *holder) : ""));
}

std::optional<int> running_pid() {
  const sockaddr_un address = lock_address();
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), kAddressBytes) != 0)
    return std::nullopt;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer.pid;
}

}  // namespace nfsteer
