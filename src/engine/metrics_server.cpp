#include "metrics_server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <utility>

#include "metrics.hpp"
#include "nfsteer/base/log.hpp"
#include "nfsteer/base/text.hpp"

namespace nfsteer {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Tcp = asio::ip::tcp;

constexpr std::uint32_t kRequestBytesMax = 8 * 1024;

Tcp::endpoint to_asio(const Endpoint& endpoint) {
  const std::string text = to_string(endpoint.address);
  return {asio::ip::make_address(text), endpoint.port};
}

// What both ends of a connection share with the server.
struct Shared {
  std::function<std::string()> page;
  std::size_t scrapers = 0;
};

using Response = http::response<http::string_body>;

Response answer(const http::request<http::string_body>& request, const Shared& shared) {
  Response response;
  response.version(request.version());
  response.set(http::field::content_type, kMetricsContentType);
  response.keep_alive(false);
  const bool is_get = request.method() == http::verb::get;
  if (!is_get && request.method() != http::verb::head) {
    response.result(http::status::method_not_allowed);
    response.set(http::field::allow, "GET, HEAD");
  } else if (request.target() != "/metrics") {
    response.result(http::status::not_found);
    response.body() = "The page is /metrics.\n";
  } else {
    response.body() = shared.page();
  }
  response.prepare_payload();
  if (request.method() == http::verb::head) response.body().clear();
  return response;
}

// One request and its answer. Kept alive by the operation under way.
class Scrape : public std::enable_shared_from_this<Scrape> {
 public:
  Scrape(Tcp::socket socket, std::shared_ptr<Shared> shared)
      : stream_(std::move(socket)), shared_(std::move(shared)) {
    ++shared_->scrapers;
    parser_.header_limit(kRequestBytesMax);
    parser_.body_limit(kRequestBytesMax);
  }
  ~Scrape() { --shared_->scrapers; }

  void read() {
    stream_.expires_after(MetricsServer::kScrapeLimit);
    http::async_read(stream_, buffer_, parser_,
                     boost::beast::bind_front_handler(&Scrape::on_read, shared_from_this()));
  }

 private:
  void on_read(error_code error, std::size_t) {
    if (error) return;
    response_ = answer(parser_.get(), *shared_);
    stream_.expires_after(MetricsServer::kScrapeLimit);
    http::async_write(stream_, response_, [self = shared_from_this()](error_code, std::size_t) {
      error_code ignored;
      self->stream_.socket().shutdown(Tcp::socket::shutdown_send, ignored);
    });
  }

  boost::beast::tcp_stream stream_;
  std::shared_ptr<Shared> shared_;
  boost::beast::flat_buffer buffer_{kRequestBytesMax};
  http::request_parser<http::string_body> parser_;
  Response response_;
};

}  // namespace

class MetricsServer::Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(asio::io_context& io, std::function<std::string()> page)
      : shared_(std::make_shared<Shared>(Shared{std::move(page)})), acceptor_(io), pause_(io) {}

  Result<void> listen(const Endpoint& endpoint) {
    try {
      const Tcp::endpoint at = to_asio(endpoint);
      acceptor_.open(at.protocol());
      acceptor_.set_option(Tcp::acceptor::reuse_address(true));
      acceptor_.bind(at);
      acceptor_.listen();
    } catch (const boost::system::system_error& error) {
      return fail(format("{}: {}", to_string(endpoint), error.code().message()));
    }
    accept();
    return {};
  }
  void close() {
    error_code ignored;
    acceptor_.close(ignored);  // NOLINT(bugprone-unused-return-value): returns `ignored`
    pause_.cancel();
  }

 private:
  void accept() {
    acceptor_.async_accept([self = shared_from_this()](error_code error, Tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) return self->pause();
      if (self->shared_->scrapers < kScrapersMax)
        std::make_shared<Scrape>(std::move(socket), self->shared_)->read();
      self->accept();
    });
  }
  void pause() {
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([self = shared_from_this()](error_code cancelled) {
      if (!cancelled && self->acceptor_.is_open()) self->accept();
    });
  }

  std::shared_ptr<Shared> shared_;
  Tcp::acceptor acceptor_;
  asio::steady_timer pause_;
};

MetricsServer::MetricsServer(ControlServer& loop, std::function<std::string()> page)
    : loop_(loop), page_(std::move(page)) {}

MetricsServer::~MetricsServer() {
  if (listener_) listener_->close();
}

Result<void> MetricsServer::listen(const std::optional<Endpoint>& endpoint) {
  if (endpoint == endpoint_) return {};
  std::shared_ptr<Listener> next;
  if (endpoint) {
    next = std::make_shared<Listener>(loop_.io(), page_);
    if (auto listens = next->listen(*endpoint); !listens) return listens;
  }
  if (listener_) listener_->close();
  listener_ = std::move(next);
  endpoint_ = endpoint;
  return {};
}

}  // namespace nfsteer
