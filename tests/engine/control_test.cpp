// The control socket from both ends, over a real socket: what is served, what
// a hostile client cannot do, and what a client says of a hostile server.
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "engine/protocol.hpp"
#include "engine/unix_address.hpp"
#include "fake_control.hpp"

namespace nfsteer {
namespace {

using namespace std::chrono_literals;
using test::eventually;
using Kind = ClientError::Kind;

const std::string kStatusRequest = std::string(R"({"method":"nfsteer.Status"})") + kMessageEnd;
constexpr int kPatience_ms = 20'000;  // only reached where something is broken

// ---- a client that does as it likes -----------------------------------------

class RawClient {
 public:
  explicit RawClient(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    const auto address = unix_address(path);
    REQUIRE(address);
    REQUIRE(::connect(socket_.get(), as_sockaddr(*address), sizeof(*address)) == 0);
    const timeval patience{.tv_sec = kPatience_ms / 1'000, .tv_usec = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  }

  // Returns how much the other end took before it hung up, or went to sleep.
  std::size_t send(std::string_view text) const {
    std::size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t n = ::send(socket_.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n < 0) break;
      sent += static_cast<std::size_t>(n);
    }
    return sent;
  }
  // All that comes up to the next NUL, or up to the end.
  std::string receive() const {
    std::string text;
    char c = 0;
    while (readable() && ::recv(socket_.get(), &c, 1, 0) == 1 && c != kMessageEnd) text += c;
    return text;
  }
  bool hung_up() const {
    pollfd poll{.fd = socket_.get(), .events = POLLRDHUP, .revents = 0};
    return ::poll(&poll, 1, kPatience_ms) == 1;
  }
  std::string error() const { return Json::parse(receive()).at("error").get<std::string>(); }

 private:
  bool readable() const {
    pollfd poll{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&poll, 1, kPatience_ms) == 1;
  }

  Fd socket_;
};

// ---- served -----------------------------------------------------------------

TEST_CASE("control socket: each call of the client") {
  test::ServedSocket socket;
  const Client client(socket.path());

  const auto status = client.status();
  REQUIRE(status);
  CHECK(status->counted.groups[0].servers[1].address == "2001:db8:2::1");
  const auto json = client.status_json();
  REQUIRE(json);
  CHECK(json->starts_with("{\n  \"schema\": 1,\n"));

  CHECK(client.flush_cache());
  CHECK(socket.control.asked == "cache");
  CHECK(client.flush_stats());
  CHECK(socket.control.asked == "stats");
  CHECK(client.flush_flows({}, "web/web1")->flows == 3);
  CHECK(socket.control.asked == "flows group=- server=web/web1");
  CHECK(client.flush_flows("web", {})->flows == 3);
  CHECK(socket.control.asked == "flows group=web server=-");

  const auto refused = client.flush_flows("wbe", {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == Kind::Refused);
  CHECK(refused.error().message == "there is no group `wbe`: did you mean `web`?");
}

TEST_CASE("control socket: several requests on one connection") {
  test::ServedSocket socket;
  const RawClient client(socket.path());
  const std::string unknown = std::string(R"({"method":"x"})") + kMessageEnd;
  client.send(unknown + kStatusRequest + unknown);
  CHECK(client.error() == "nfsteer.UnknownMethod");
  CHECK(client.receive().starts_with(R"({"parameters":{"schema":1)"));
  CHECK(client.error() == "nfsteer.UnknownMethod");
  client.send(kStatusRequest);
  CHECK(client.receive().starts_with(R"({"parameters":{"schema":1)"));
}

TEST_CASE("control socket: a status of 4,000 servers") {
  test::ServedSocket socket;
  const ServerStatistics server = socket.control.answer.counted.groups[0].servers[0];
  socket.control.answer.counted.groups[0].servers.assign(4'000, server);
  const auto status = Client(socket.path()).status();
  REQUIRE(status);
  CHECK(status->counted.groups[0].servers.size() == 4'000);
}

// The kernel tells the server the uid that a thread has when it connects.
TEST_CASE("control socket: other users may look and change nothing") {
  if (::geteuid() != 0) {
    MESSAGE("skipped: only root can become another user");
    return;
  }
  constexpr long kUnchanged = -1, kNobody = 65'534;
  test::ServedSocket socket;
  bool looked = false;
  std::optional<ClientError> refused;
  std::thread([&] {
    ::syscall(SYS_setresuid, kUnchanged, kNobody, kUnchanged);  // of this thread alone
    const Client client(socket.path());
    looked = client.status().has_value();
    if (const auto flushed = client.flush_cache(); !flushed) refused = flushed.error();
  }).join();
  CHECK(looked);
  REQUIRE(refused);
  CHECK(refused->kind == Kind::NotPermitted);
  CHECK(socket.control.asked.empty());
}

TEST_CASE("control socket: SIGTERM and SIGINT end the loop, and so does stop()") {
  test::TemporaryDirectory directory;
  test::FakeControl control;
  for (const int signal : {SIGTERM, SIGINT, 0}) {
    auto listener = listen_control(directory.file("control.sock"));
    REQUIRE(listener);
    ControlServer server(*std::move(listener), control);
    if (signal != 0)
      ::raise(signal);
    else
      server.stop();
    server.run();
  }
}

TEST_CASE("control server: acts whenever a watched descriptor is readable, also after a failure") {
  test::TemporaryDirectory directory;
  test::FakeControl control;
  auto listener = listen_control(directory.file("control.sock"));
  REQUIRE(listener);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const Fd reader(ends[0]), writer(ends[1]);
  REQUIRE(::write(writer.get(), "abc", 3) == 3);

  ControlServer server(*std::move(listener), control);
  std::string seen;
  server.watch(reader.get(), [&] {
    char next = 0;
    REQUIRE(::read(reader.get(), &next, 1) == 1);
    seen += next;
    if (next == 'b') throw std::runtime_error("a library failed");
    if (next == 'c') server.stop();
  });
  server.run();
  CHECK(seen == "abc");
}

// ---- hostile clients ----------------------------------------------------------

TEST_CASE("control socket: garbage gets one answer and the door") {
  test::ServedSocket socket;
  const RawClient client(socket.path());
  client.send(std::string("garbage") + kMessageEnd + kStatusRequest);
  CHECK(client.error() == "nfsteer.BadRequest");
  CHECK(client.hung_up());
  CHECK(client.receive().empty());
  CHECK(Client(socket.path()).status());
}

TEST_CASE("control socket: 100 MB without an end are cut") {
  test::ServedSocket socket;
  const RawClient client(socket.path());
  const std::string flood(100'000'000, '{');
  const std::size_t sent = client.send(flood);
  CHECK(sent >= kRequestBytesMax);
  CHECK(sent < 2 * kRequestBytesMax);  // the limit and what the kernel buffers
  CHECK(client.error() == "nfsteer.BadRequest");
  CHECK(client.hung_up());
  CHECK(Client(socket.path()).status());
}

TEST_CASE("control socket: who is silent, stops in the middle or never reads is dropped") {
  test::ServedSocket socket(50ms);
  const ServerStatistics server = socket.control.answer.counted.groups[0].servers[0];
  socket.control.answer.counted.groups[0].servers.assign(4'000, server);

  const RawClient silent(socket.path()), half(socket.path()), unread(socket.path());
  half.send(kStatusRequest.substr(0, 10));
  unread.send(kStatusRequest);
  REQUIRE(silent.hung_up());
  REQUIRE(half.hung_up());
  REQUIRE(unread.hung_up());
  CHECK(silent.receive().empty());
  CHECK(half.receive().empty());
}

TEST_CASE("control socket: a request that comes a byte at a time has one span of time in all") {
  test::ServedSocket socket(50ms);
  const RawClient client(socket.path());
  CHECK(eventually([&] { return client.send("{") == 0; }));
}

TEST_CASE("control socket: 1,000 connections") {
  test::ServedSocket socket(60s);  // so that nobody goes for being idle
  std::vector<std::unique_ptr<RawClient>> clients;
  constexpr std::size_t kMost = kClientsMax + kClientsReserved;  // as we may act
  for (std::size_t i = 0; i < kMost; ++i)
    clients.push_back(std::make_unique<RawClient>(socket.path()));
  // The last one that is let in, so that none of the next can be.
  clients.back()->send(kStatusRequest);
  CHECK_FALSE(clients.back()->receive().empty());

  for (std::size_t i = kMost; i < 1'000; ++i) {
    const RawClient newcomer(socket.path());
    REQUIRE(newcomer.hung_up());
  }
  const auto refused = Client(socket.path()).status();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == Kind::Broken);

  clients.front()->send(kStatusRequest);
  CHECK_FALSE(clients.front()->receive().empty());
  clients.clear();
  CHECK(eventually([&] { return Client(socket.path()).status().has_value(); }));
}

TEST_CASE("control socket: who may only look cannot keep root out") {
  if (::geteuid() != 0) {
    MESSAGE("SKIPPED: needs root, to ask as somebody else");
    return;
  }
  constexpr long kUnchanged = -1, kNobody = 65'534;
  test::ServedSocket socket(60s);
  std::vector<std::unique_ptr<RawClient>> lookers;
  std::thread([&] {
    ::syscall(SYS_setresuid, kUnchanged, kNobody, kUnchanged);  // of this thread alone
    for (std::size_t i = 0; i < 2 * kClientsMax; ++i)
      lookers.push_back(std::make_unique<RawClient>(socket.path()));
    REQUIRE(lookers.back()->hung_up());
  }).join();
  CHECK(Client(socket.path()).flush_cache());
}

TEST_CASE("control socket: without file descriptors it goes on, and comes back") {
  test::ServedSocket socket;
  const RawClient inside(socket.path());
  inside.send(kStatusRequest);
  CHECK_FALSE(inside.receive().empty());

  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  const Fd newcomer(::socket(AF_UNIX, SOCK_STREAM, 0));
  const auto address = unix_address(socket.path());
  const rlimit none{.rlim_cur = 1, .rlim_max = limit.rlim_max};  // 0 would fail poll()
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  CHECK(::connect(newcomer.get(), as_sockaddr(*address), sizeof(*address)) == 0);
  int answers = 0;
  for (int i = 0; i < 100; ++i) {
    inside.send(kStatusRequest);
    answers += inside.receive().empty() ? 0 : 1;
  }
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK(answers == 100);

  CHECK(::send(newcomer.get(), kStatusRequest.data(), kStatusRequest.size(), 0) > 0);
  pollfd poll{.fd = newcomer.get(), .events = POLLIN, .revents = 0};
  CHECK(::poll(&poll, 1, kPatience_ms) == 1);
}

TEST_CASE("control socket: an engine that throws answers, and lives") {
  test::ServedSocket socket;
  socket.control.broken = true;
  const auto status = Client(socket.path()).status();
  REQUIRE_FALSE(status);
  CHECK(status.error().message == "a library failed");
  CHECK(Client(socket.path()).flush_cache());
}

// ---- the listener ---------------------------------------------------------------

TEST_CASE("listener: makes its directory, and takes the place of a dead socket") {
  test::TemporaryDirectory directory;
  const std::string path = directory.file("made/control.sock");
  for (int start = 0; start < 2; ++start) {
    const auto listener = listen_control(path);
    REQUIRE_MESSAGE(listener, listener.error().message);
    const auto mode = std::filesystem::status(path).permissions();
    CHECK((mode & std::filesystem::perms::all) == std::filesystem::perms(0666));
  }
}

TEST_CASE("listener: what it does not take the place of") {
  test::TemporaryDirectory directory;
  const std::string file = directory.file("file"), living = directory.file("living");
  const std::string link = directory.file("link"), gone = directory.file("a/b/control.sock");
  std::ofstream(file) << "mine";
  std::filesystem::create_symlink("nowhere", link);
  const auto listener = listen_control(living);
  REQUIRE(listener);

  const std::string too_long = "/tmp/" + std::string(103, 'x');
  const struct {
    std::string path, said;
  } cases[] = {
      {living, "an engine answers at " + living + " already"},
      {file, file + " is in the way: it is not a socket"},
      {link, link + " is in the way: it is not a socket"},
      {gone, "the directory " + directory.file("a/b") + " cannot be made"},
      {file + "/control.sock", "Not a directory"},
      {"", "cannot be the path of a socket"},
      {too_long, "1 to 107 bytes are possible"},
  };
  for (const auto& [path, said] : cases) {
    const auto refused = listen_control(path);
    REQUIRE_FALSE(refused);
    CHECK_MESSAGE(refused.error().message.find(said) != std::string::npos, refused.error().message);
  }
  CHECK(std::filesystem::file_size(file) == 4);
}

// ---- a client among hostile servers ----------------------------------------------

// Accepts one connection and gives it this answer, whatever it asks.
class FakeServer {
 public:
  FakeServer(const std::string& path, std::string reply, bool hang_up)
      : listener_(std::move(listen_control(path).value())),
        thread_([this, reply = std::move(reply), hang_up] { serve(reply, hang_up); }) {}
  ~FakeServer() { thread_.join(); }

 private:
  void serve(const std::string& reply, bool hang_up) const {
    pollfd poll{.fd = listener_.get(), .events = POLLIN, .revents = 0};
    ::poll(&poll, 1, kPatience_ms);
    const Fd client(::accept(listener_.get(), nullptr, nullptr));
    char request[1024];
    const ssize_t asked = ::recv(client.get(), request, sizeof(request), 0);
    if (asked > 0) ::send(client.get(), reply.data(), reply.size(), MSG_NOSIGNAL);
    poll.fd = client.get();
    if (!hang_up) ::poll(&poll, 1, kPatience_ms);  // until the client goes
  }

  Fd listener_;
  std::thread thread_;
};

TEST_CASE("client: what it says of an answer that is none") {
  using namespace std::string_literals;
  const struct {
    std::string reply;
    bool hang_up;
    const char* said;
  } cases[] = {
      {"", true, "closed the connection without an answer"},
      {"{\"parameters\":", true, "closed the connection without an answer"},
      {"", false, "did not answer within 0.1 s"},
      {"{\"parameters\":", false, "did not answer within 0.1 s"},
      {"\0"s, false, "not JSON"},
      {"HTTP/1.1 400 Bad Request\r\n\0"s, false, "not JSON"},
      {std::string(50, '[') + std::string(50, ']') + "\0"s, false, "nested deeper"},
      {"{\"parameters\":1e999}\0"s, false, "a number that is too large"},
      {"[]\0"s, false, "not the form"},
      {"{}\0"s, false, "not the form"},
      {"{\"error\":5}\0"s, false, "not the form"},
      {"{\"error\":\"nfsteer.Failed\"}\0"s, false, "not the form"},
      {"{\"parameters\":{}}\0"s, false, "cannot be read"},
      {"{\"parameters\":{\"schema\":9}}\0"s, false, "schema 9"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.reply);
    test::TemporaryDirectory directory;
    const FakeServer server(directory.file("s"), row.reply, row.hang_up);
    const auto status = Client(directory.file("s"), 100ms).status();
    REQUIRE_FALSE(status);
    CHECK(status.error().kind == Kind::Broken);
    CHECK_MESSAGE(status.error().message.find(row.said) != std::string::npos,
                  status.error().message);
  }
}

TEST_CASE("client: its patience is for the whole answer") {
  test::TemporaryDirectory directory;
  const auto listener = listen_control(directory.file("s"));
  REQUIRE(listener);
  std::thread trickle([&] {
    pollfd poll{.fd = listener->get(), .events = POLLIN, .revents = 0};
    ::poll(&poll, 1, kPatience_ms);
    const Fd client(::accept(listener->get(), nullptr, nullptr));
    CHECK(eventually([&] { return ::send(client.get(), "{", 1, MSG_NOSIGNAL) < 0; }));
  });
  const auto status = Client(directory.file("s"), 100ms).status();
  trickle.join();
  REQUIRE_FALSE(status);
  CHECK(status.error().message.find("did not answer within 0.1 s") != std::string::npos);
}

TEST_CASE("client: where no engine is") {
  test::TemporaryDirectory directory;
  const std::string stale = directory.file("stale");
  REQUIRE(listen_control(stale));
  for (const std::string& path : {directory.file("none"), stale}) {
    const auto status = Client(path).status();
    REQUIRE_FALSE(status);
    CHECK(status.error().kind == Kind::NotRunning);
    CHECK(status.error().message == "no engine answers at " + path +
                                        ": start one with `nfsteer run FILE` or "
                                        "`systemctl start nfsteer`");
  }
}

}  // namespace
}  // namespace nfsteer
