// A GET request and what comes back, over a plain stream or TLS.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http_rules.hpp"
#include "nfsteer/base/text.hpp"
#include "socket.hpp"

namespace nfsteer {

// `Stream` is a tcp::socket, or a layer over one. REQUIRES: its lowest layer is closed
template <typename Stream>
class HttpAttempt : public Attempt {
 public:
  template <typename... Args>
  HttpAttempt(ProbeRoom& room, const CheckTarget& target, std::shared_ptr<const HttpRules> rules,
              Done done, Args&... layers)
      : Attempt(std::move(done)),
        stream_(room.io, layers...),
        server_(to_asio(target.address), target.port),
        rules_(std::move(rules)),
        mark_(room.mark) {}

  void begin() override {
    if (const auto error = open_stream(socket(), server_.address(), mark_))
      return finish(end_of(error));
    socket().async_connect(server_, bound([this](const Code& error) {
                             if (error) return finish(end_of(error));
                             secure();
                           }));
  }

 protected:
  using Code = boost::system::error_code;

  // What has to be done between the connection and the request.
  virtual void secure() { ask(); }
  // How the probe ends where the stream fails.
  virtual ProbeEnd end_of_stream(const Code& error) const { return end_of_http(error); }

  void ask() {
    request_ = make_request(*rules_, server_);
    http::async_write(stream_, request_, bound([this](const Code& error, std::size_t) {
                        if (error) return finish(end_of_stream(error));
                        read_header();
                      }));
  }

  Stream stream_;
  const boost::asio::ip::tcp::endpoint server_;
  const std::shared_ptr<const HttpRules> rules_;

 private:
  auto& socket() { return stream_.lowest_layer(); }

  void read_header() {
    parser_.emplace();
    parser_->header_limit(kHttpBytesMax);
    parser_->body_limit(std::numeric_limits<std::uint64_t>::max());  // look() counts
    http::async_read_header(stream_, buffer_, *parser_,
                            bound([this](const Code& error, std::size_t) {
                              if (error) return finish(end_of_stream(error));
                              judge();
                            }));
  }

  void judge() {
    const unsigned status = parser_->get().result_int();
    if (is_informational(status)) return read_header();
    if (!rules_->accepts(status)) return finish({ProbeOutcome::Failed, format("{}", status)});
    if (rules_->body.empty()) return finish({ProbeOutcome::Passed, format("{}", status)});
    look();
  }

  // Looks for the text among what there is of the body, of which so many bytes have
  // been looked at.
  void look(std::size_t seen = 0) {
    const unsigned status = parser_->get().result_int();
    const auto body = std::string_view(parser_->get().body()).substr(0, kHttpBytesMax);
    const std::size_t from = seen - std::min(seen, rules_->body.size() - 1);
    if (body.find(rules_->body, from) != body.npos)
      return finish({ProbeOutcome::Passed, format("{}", status)});
    if (parser_->is_done() || body.size() == kHttpBytesMax)
      return finish({ProbeOutcome::Failed, format("{}, without the text in its body", status)});
    http::async_read_some(stream_, buffer_, *parser_,
                          bound([this, size = body.size()](const Code& error, std::size_t) {
                            if (error) return finish(end_of_stream(error));
                            look(size);
                          }));
  }

  void close() override {
    Code ignored;
    socket().close(ignored);
  }

  const std::uint32_t mark_;
  http::request<http::empty_body> request_;
  boost::beast::flat_buffer buffer_{2 * kHttpBytesMax};  // what it has at most
  std::optional<http::response_parser<http::string_body>> parser_;
};

}  // namespace nfsteer
