// Bytes on the metrics' socket, in a namespace of the process's own: the page is for
// those who ask for it; all others get what HTTP has for them, or nothing. Never a wait.
#include <sched.h>
#include <sys/socket.h>

#include <thread>

#include "../../engine/fake_control.hpp"
#include "../../netlink/fresh_netns.hpp"
#include "../../netlink/loopback.hpp"
#include "../fuzz.hpp"
#include "engine/listener.hpp"
#include "engine/metrics_server.hpp"

using namespace nfsteer;

namespace {

constexpr std::uint16_t kPort = 9477;
constexpr std::string_view kPage = "nfsteer_up 1\n";

class Served {
 public:
  Served() {
    FUZZ_CHECK(::unshare(CLONE_NEWNET) == 0);  // needs root
    testing::run("ip link set lo up");
    FUZZ_CHECK(metrics_.listen(Endpoint{Address::v4(INADDR_LOOPBACK), kPort}).has_value());
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~Served() {
    loop_.stop();
    thread_.join();
  }

 private:
  test::TemporaryDirectory directory_;
  test::FakeControl control_;
  ControlServer loop_{*listen_control(directory_.file("control.sock")), control_};
  MetricsServer metrics_{loop_, [] { return std::string(kPage); }};
  std::thread thread_;
};

// All that comes until the other end hangs up.
std::string receive(const Fd& socket) {
  std::string text;
  char chunk[4096];
  while (const ssize_t got = ::recv(socket.get(), chunk, sizeof chunk, 0)) {
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) break;
    text.append(chunk, static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace

FUZZ_TARGET(metrics_socket) {
  static const Served served;
  const Fd socket = testing::opened(AF_INET, SOCK_STREAM, kPort);
  // Fails where the other end has hung up.
  (void)::send(socket.get(), input.data(), input.size(), MSG_NOSIGNAL);
  ::shutdown(socket.get(), SHUT_WR);
  const std::string answer = receive(socket);
  if (answer.empty()) return;
  const std::string_view request = fuzz::text_of(input);
  const std::string_view status =
      std::string_view(answer).substr(std::min(answer.size(), std::size_t{9}), 3);
  FUZZ_CHECK(answer.starts_with("HTTP/1."));
  FUZZ_CHECK(status == "200" || status == "404" || status == "405");
  const bool has_page = answer.ends_with(kPage);
  FUZZ_CHECK(!has_page || status == "200");
  FUZZ_CHECK(has_page || status != "200" || request.find("HEAD") != request.npos);
}
