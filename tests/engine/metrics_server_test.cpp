#include "engine/metrics_server.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <ctime>

#include "../netlink/fresh_netns.hpp"
#include "../netlink/loopback.hpp"
#include "fake_control.hpp"

namespace nfsteer {
namespace {

constexpr std::uint16_t kPort = 9477;

// A page, served in a thread of its own.
class ServedPage {
 public:
  ServedPage() {
    testing::run("ip link set lo up");
    const auto listens = metrics_.listen(Endpoint{Address::v4(INADDR_LOOPBACK), kPort});
    testing::require(listens.has_value(), "listen");
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~ServedPage() {
    loop_.stop();
    thread_.join();
  }

 private:
  test::TemporaryDirectory directory_;
  test::FakeControl control_;
  ControlServer loop_{*listen_control(directory_.file("control.sock")), control_};
  MetricsServer metrics_{loop_, [] { return std::string("the page"); }};
  std::thread thread_;
};

// All that comes until the other end hangs up.
std::string receive(const Fd& socket) {
  std::string text;
  char chunk[4096];
  for (ssize_t got; (got = ::recv(socket.get(), chunk, sizeof chunk, 0)) > 0;)
    text.append(chunk, static_cast<std::size_t>(got));
  return text;
}

Fd newcomer() {
  return Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

void come(const Fd& socket) {
  const testing::Loopback server(AF_INET, kPort);
  testing::require(::connect(socket.get(), server.get(), server.size()) == 0, "connect");
}

std::string ask(const Fd& socket) {
  constexpr std::string_view kRequest = "GET /metrics HTTP/1.0\r\n\r\n";
  (void)::send(socket.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL);
  return receive(socket);
}

double cpu_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

}  // namespace

TEST_CASE("metrics server: without file descriptors it waits, and comes back") {
  const auto told = testing::in_fresh_netns([] {
    const ServedPage page;
    const Fd first = newcomer(), second = newcomer();
    come(first);
    testing::require(ask(first).ends_with("the page"), "with descriptors");
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit none{.rlim_cur = 1, .rlim_max = limit.rlim_max};  // 0 would fail poll()
    testing::require(::setrlimit(RLIMIT_NOFILE, &none) == 0, "setrlimit");
    come(second);
    const double before = cpu_seconds();
    std::this_thread::sleep_for(std::chrono::seconds(1));
    testing::require(cpu_seconds() - before < 0.1, "it takes all of a processor");
    ::setrlimit(RLIMIT_NOFILE, &limit);
    return ask(second);
  });
  if (told) CHECK(told->ends_with("the page"));
}

}  // namespace nfsteer
