// What checks by HTTP ask for, and which answer is good.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <string>
#include <utility>
#include <vector>

#include "check.hpp"

namespace nfsteer {

namespace http = boost::beast::http;

// Of a response's header, and of its body; nothing beyond is read.
inline constexpr std::size_t kHttpBytesMax = 64 * 1024;

struct HttpRules {
  std::string path;
  std::string host;                                     // empty: the server's address
  std::string body;                                     // that the body has to contain
  std::vector<std::pair<unsigned, unsigned>> statuses;  // good ones, first to last
  std::uint16_t default_port = 80;

  bool accepts(unsigned status) const noexcept;
};
HttpRules http_rules(const CheckConfig& check, std::uint16_t default_port);

http::request<http::empty_body> make_request(const HttpRules& rules,
                                             const boost::asio::ip::tcp::endpoint& server);
// Whether another response follows the one of that status (RFC 9110, 15.2).
bool is_informational(unsigned status) noexcept;
// How the probe ends with an error of the stream or of what was read from it.
ProbeEnd end_of_http(const boost::system::error_code& error);

// What is wrong with the text of an option.
Result<void> check_path(std::string_view text, std::size_t);
Result<void> check_host(std::string_view text, std::size_t);
Result<void> check_status(std::string_view text, std::size_t);
Result<void> check_body(std::string_view text, std::size_t);

inline constexpr CheckOption kHttpPath{.key = "path",
                                       .type = CheckOption::Type::Text,
                                       .expects = "a path such as \"/healthz\"",
                                       .check = check_path};
inline constexpr CheckOption kHttpHost{.key = "host",
                                       .type = CheckOption::Type::Text,
                                       .expects = "a name such as \"www.example.net\"",
                                       .check = check_host};
inline constexpr CheckOption kHttpStatus{.key = "status",
                                         .type = CheckOption::Type::List,
                                         .expects = "status codes such as [\"200-299\", 304]",
                                         .check = check_status};
inline constexpr CheckOption kHttpBody{.key = "body",
                                       .type = CheckOption::Type::Text,
                                       .expects = "a text that the answer contains",
                                       .check = check_body};

}  // namespace nfsteer
