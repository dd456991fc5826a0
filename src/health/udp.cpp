// udp: what the server answers to a datagram.
#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/udp.hpp>

#include "nfsteer/base/text.hpp"
#include "options.hpp"
#include "socket.hpp"

namespace nfsteer {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kBytesMax = 1'024;  // fits into every datagram

struct Talk {
  std::string send, reply;  // the answer begins with `reply`
};

class UdpAttempt final : public Attempt {
 public:
  UdpAttempt(ProbeRoom& room, const CheckTarget& target, std::shared_ptr<const Talk> talk,
             Done done)
      : Attempt(std::move(done)),
        socket_(room.io),
        server_(to_asio(target.address), target.port),
        talk_(std::move(talk)),
        mark_(room.mark) {}

  void begin() override {
    error_code error;
    socket_.open(server_.protocol(), error);
    if (error) return finish(end_of(error));
    set_mark(socket_.native_handle(), mark_);
    // Connected, it hears of the server alone, and of errors.
    socket_.connect(server_, error);
    if (!error) socket_.non_blocking(true, error);
    if (!error) socket_.send(asio::buffer(talk_->send), 0, error);
    if (error) return finish(end_of(error));
    socket_.async_receive(asio::buffer(answer_),
                          bound([this](const error_code& failed, std::size_t size) {
                            finish(failed ? end_of(failed) : judge({answer_.data(), size}));
                          }));
  }

 private:
  ProbeEnd judge(std::string_view answer) const {
    constexpr std::size_t kShown = 40;
    if (!answer.starts_with(talk_->reply))
      return {ProbeOutcome::Failed, format("another answer: {}", escape(answer, kShown))};
    return {ProbeOutcome::Passed, "answered"};
  }

  void close() override {
    error_code ignored;
    socket_.close(ignored);
  }

  asio::ip::udp::socket socket_;
  const asio::ip::udp::endpoint server_;
  const std::shared_ptr<const Talk> talk_;
  const std::uint32_t mark_;
  std::array<char, kBytesMax> answer_;  // of a longer one the beginning
};

class UdpCheck final : public Check {
 public:
  explicit UdpCheck(Talk talk) : talk_(std::make_shared<const Talk>(std::move(talk))) {}

  std::unique_ptr<Probe> start(ProbeRoom& room, const CheckTarget& target,
                               Done done) const override {
    return launch<UdpAttempt>(room, target, talk_, std::move(done));
  }

 private:
  const std::shared_ptr<const Talk> talk_;
};

Result<void> check_bytes(std::string_view text, std::size_t) {
  const auto bytes = unescape(text);
  if (!bytes) return tl::unexpected(bytes.error());
  if (bytes->empty() || bytes->size() > kBytesMax)
    return fail(
        format("a datagram of a check has 1 to {} bytes, not {}", kBytesMax, bytes->size()));
  return {};
}

constexpr CheckOption kOptions[] = {
    {.key = "send",
     .type = CheckOption::Type::Text,
     .required = true,
     .expects = "the bytes of a datagram, such as \"\\\\x00PING\"",
     .check = check_bytes},
    {.key = "reply",
     .type = CheckOption::Type::Text,
     .expects = "the first bytes of the answer, such as \"\\\\x00PONG\"",
     .check = check_bytes},
};

}  // namespace

const CheckKind k_check_udp{
    .name = "udp",
    .summary = "the server answers a datagram",
    .port = CheckKind::Port::Needed,
    .options = kOptions,
    .make = [](const CheckConfig& config) -> Result<std::shared_ptr<const Check>> {
      return std::make_shared<UdpCheck>(
          Talk{*unescape(text_option(config, "send")), *unescape(text_option(config, "reply"))});
    },
};

}  // namespace nfsteer
