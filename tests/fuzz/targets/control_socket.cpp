// Bytes on the control socket, in pieces of any length: what is answered is what the
// requests between the NULs get, in order, until one that ends the conversation.
#include <sys/socket.h>

#include "../../engine/fake_control.hpp"
#include "../fuzz.hpp"
#include "engine/protocol.hpp"
#include "engine/request.hpp"
#include "engine/unix_address.hpp"

using namespace nfsteer;
using fuzz::Bytes;

namespace {

std::string wanted(std::string_view sent) {
  test::FakeControl control;
  std::string text;
  bool hangs_up = false;
  for (std::size_t end = 0; !hangs_up && (end = sent.find(kMessageEnd)) != sent.npos;) {
    answer(sent.substr(0, end), Rights::Change, control, [&](const Answer& given) {
      text += given.text + kMessageEnd;
      hangs_up = given.hang_up;
    });
    sent.remove_prefix(end + 1);
  }
  return text;
}

Fd connect_to(const std::string& path) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = unix_address(path);
  FUZZ_CHECK(::connect(socket.get(), as_sockaddr(*address), sizeof *address) == 0);
  return socket;
}

// All that comes until the other end hangs up.
std::string receive(const Fd& socket) {
  std::string text;
  char chunk[4096];
  for (;;) {
    const ssize_t got = ::recv(socket.get(), chunk, sizeof chunk, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(chunk, static_cast<std::size_t>(got));
  }
}

}  // namespace

FUZZ_TARGET(control_socket) {
  constexpr std::size_t kBytesMax = 20'000;  // what a socket holds, so that nobody waits
  static const test::ServedSocket server(std::chrono::minutes(1));
  const Fd socket = connect_to(server.path());
  std::string sent;
  for (fuzz::Input in(input); !in.is_empty() && sent.size() < kBytesMax;) {
    const Bytes piece = in.take(1u + in.number<std::uint16_t>() % 1'000);
    // Fails where the conversation is over.
    (void)::send(socket.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
    sent += fuzz::text_of(piece);
  }
  ::shutdown(socket.get(), SHUT_WR);
  FUZZ_CHECK(receive(socket) == wanted(sent));
}
