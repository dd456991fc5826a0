// icmp: whether the server answers an echo request, by the kernel's ping sockets, which
// need no privilege (net.ipv4.ping_group_range names the groups of users that may).
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/datagram_protocol.hpp>
#include <boost/asio/ip/icmp.hpp>
#include <cstring>

#include "nfsteer/base/mix.hpp"
#include "nfsteer/base/text.hpp"
#include "socket.hpp"

namespace nfsteer {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// An echo request or its reply, RFC 792 and RFC 4443. The kernel fills in the checksum
// and the identifier, and knows by that whose the reply is.
struct Echo {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint16_t checksum = 0;
  std::uint16_t identifier = 0;
  std::uint16_t sequence = 0;
  std::uint64_t token = 0;  // comes back
};

ProbeEnd end_of_opening(const error_code& error) {
  if (error == asio::error::access_denied || error == asio::error::no_permission)
    return {ProbeOutcome::Skipped,
            format("net.ipv4.ping_group_range has no group of this process (its group is {})",
                   ::getegid())};
  return end_of(error);
}

class IcmpAttempt final : public Attempt {
 public:
  IcmpAttempt(ProbeRoom& room, const CheckTarget& target, std::uint64_t token, Done done)
      : Attempt(std::move(done)),
        socket_(room.io),
        server_(asio::ip::icmp::endpoint(to_asio(target.address), 0)),
        is_v4_(target.address.family == Family::V4),
        mark_(room.mark) {
    request_.type = is_v4_ ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
    request_.sequence = htons(1);
    request_.token = token;
  }

  void begin() override {
    error_code error;
    socket_.open(is_v4_ ? asio::generic::datagram_protocol(AF_INET, IPPROTO_ICMP)
                        : asio::generic::datagram_protocol(AF_INET6, IPPROTO_ICMPV6),
                 error);
    if (error) return finish(end_of_opening(error));
    set_mark(socket_.native_handle(), mark_);
    socket_.connect(server_, error);
    if (!error) socket_.non_blocking(true, error);
    if (!error) socket_.send(asio::buffer(&request_, sizeof request_), 0, error);
    if (error) return finish(end_of(error));
    receive();
  }

 private:
  void receive() {
    socket_.async_receive(asio::buffer(&reply_, sizeof reply_),
                          bound([this](const error_code& error, std::size_t size) {
                            if (error) return finish(end_of(error));
                            if (!is_reply(size)) return receive();
                            finish({ProbeOutcome::Passed, "answered"});
                          }));
  }

  bool is_reply(std::size_t size) const {
    return size == sizeof reply_ && reply_.type == (is_v4_ ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) &&
           reply_.sequence == request_.sequence && reply_.token == request_.token;
  }

  void close() override {
    error_code ignored;
    socket_.close(ignored);
  }

  asio::generic::datagram_protocol::socket socket_;
  const asio::generic::datagram_protocol::endpoint server_;
  const bool is_v4_;
  const std::uint32_t mark_;
  Echo request_, reply_;
};

class IcmpCheck final : public Check {
 public:
  std::unique_ptr<Probe> start(ProbeRoom& room, const CheckTarget& target,
                               Done done) const override {
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    return launch<IcmpAttempt>(room, target, mix(static_cast<std::uint64_t>(now)), std::move(done));
  }
};

}  // namespace

const CheckKind k_check_icmp{
    .name = "icmp",
    .summary = "the server answers a ping",
    .port = CheckKind::Port::None,
    .options = {},
    .make = [](const CheckConfig&) -> Result<std::shared_ptr<const Check>> {
      return std::make_shared<IcmpCheck>();
    },
};

}  // namespace nfsteer
