// tcp: whether the server takes a connection, which is reset at once.
#include <boost/asio/ip/tcp.hpp>

#include "socket.hpp"

namespace nfsteer {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

class TcpAttempt final : public Attempt {
 public:
  TcpAttempt(ProbeRoom& room, const CheckTarget& target, Done done)
      : Attempt(std::move(done)),
        socket_(room.io),
        server_(to_asio(target.address), target.port),
        mark_(room.mark) {}

  void begin() override {
    if (const auto error = open_stream(socket_, server_.address(), mark_))
      return finish(end_of(error));
    socket_.async_connect(
        server_, bound([this](const error_code& error) {
          finish(error ? end_of(error) : ProbeEnd{ProbeOutcome::Passed, "connected"});
        }));
  }

 private:
  void close() override {
    error_code ignored;
    socket_.close(ignored);
  }

  asio::ip::tcp::socket socket_;
  const asio::ip::tcp::endpoint server_;
  const std::uint32_t mark_;
};

class TcpCheck final : public Check {
 public:
  std::unique_ptr<Probe> start(ProbeRoom& room, const CheckTarget& target,
                               Done done) const override {
    return launch<TcpAttempt>(room, target, std::move(done));
  }
};

}  // namespace

const CheckKind k_check_tcp{
    .name = "tcp",
    .summary = "the server takes a connection",
    .port = CheckKind::Port::Needed,
    .options = {},
    .make = [](const CheckConfig&) -> Result<std::shared_ptr<const Check>> {
      return std::make_shared<TcpCheck>();
    },
};

}  // namespace nfsteer
