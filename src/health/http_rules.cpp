#include "http_rules.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <optional>

#include "nfsteer/base/text.hpp"
#include "options.hpp"
#include "socket.hpp"

namespace nfsteer {
namespace {

namespace asio = boost::asio;

using Statuses = std::pair<unsigned, unsigned>;
constexpr std::size_t kPathMax = 2'000, kHostMax = 253, kBodyMax = 1'000;

std::optional<Statuses> parse_statuses(std::string_view text) {
  constexpr unsigned kFirst = 100, kLast = 599;
  const std::size_t dash = text.find('-');
  const auto first = parse_number(text.substr(0, dash));
  const auto last = dash == text.npos ? first : parse_number(text.substr(dash + 1));
  if (!first || !last || *first < kFirst || *last > kLast || *first > *last) return std::nullopt;
  return Statuses{static_cast<unsigned>(*first), static_cast<unsigned>(*last)};
}

bool is_graphic(char c) {
  return c > ' ' && c < '\x7f';
}

bool is_of_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

std::string authority(const asio::ip::tcp::endpoint& server, std::uint16_t default_port) {
  const std::string address = server.address().to_string();
  const std::string host = server.address().is_v4() ? address : format("[{}]", address);
  return server.port() == default_port ? host : format("{}:{}", host, server.port());
}

}  // namespace

bool HttpRules::accepts(unsigned status) const noexcept {
  return std::any_of(statuses.begin(), statuses.end(), [status](const Statuses& range) {
    return range.first <= status && status <= range.second;
  });
}

HttpRules http_rules(const CheckConfig& check, std::uint16_t default_port) {
  HttpRules rules{.path = text_option(check, "path", "/"),
                  .host = text_option(check, "host"),
                  .body = text_option(check, "body"),
                  .statuses = {},
                  .default_port = default_port};
  for (const std::string& text : list_option(check, "status"))
    rules.statuses.push_back(*parse_statuses(text));
  if (rules.statuses.empty()) rules.statuses.emplace_back(200, 399);
  return rules;
}

http::request<http::empty_body> make_request(const HttpRules& rules,
                                             const asio::ip::tcp::endpoint& server) {
  constexpr unsigned kVersion = 11;
  http::request<http::empty_body> request(http::verb::get, rules.path, kVersion);
  request.set(http::field::host,
              rules.host.empty() ? authority(server, rules.default_port) : rules.host);
  request.set(http::field::user_agent, "nfsteer");
  request.set(http::field::accept, "*/*");
  request.keep_alive(false);
  return request;
}

bool is_informational(unsigned status) noexcept {
  constexpr unsigned kSwitchingProtocols = 101;
  return status < 200 && status != kSwitchingProtocols;
}

ProbeEnd end_of_http(const boost::system::error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return {ProbeOutcome::Failed, format("a header of more than {} KiB", kHttpBytesMax / 1024)};
  if (error == http::error::end_of_stream || error == asio::error::eof)
    return {ProbeOutcome::Failed, "closed before it answered"};
  if (error == http::error::partial_message)
    return {ProbeOutcome::Failed, "closed within its answer"};
  if (error.category() == http::make_error_code(http::error::bad_version).category())
    return {ProbeOutcome::Failed, format("not HTTP: {}", error.message())};
  return end_of(error);
}

Result<void> check_path(std::string_view text, std::size_t) {
  const bool is_path = text.starts_with('/') && text.size() <= kPathMax &&
                       std::all_of(text.begin(), text.end(), is_graphic);
  if (is_path) return {};
  return fail(
      format("`{}` is not a path: it begins with `/`, and what is no printable ASCII, "
             "and spaces, are written as %XX",
             printable(text)));
}

Result<void> check_host(std::string_view text, std::size_t) {
  const bool is_name =
      !text.empty() && text.size() <= kHostMax && std::all_of(text.begin(), text.end(), is_of_name);
  if (is_name) return {};
  return fail(format("`{}` is not the name of a host; it has no port", printable(text)));
}

Result<void> check_status(std::string_view text, std::size_t) {
  if (parse_statuses(text)) return {};
  return fail(
      format("`{}` is no status code from 100 to 599, and no range of them such as "
             "\"200-299\"",
             printable(text)));
}

Result<void> check_body(std::string_view text, std::size_t) {
  if (!text.empty() && text.size() <= kBodyMax) return {};
  return fail(format("a text that the body contains has 1 to {} bytes", kBodyMax));
}

}  // namespace nfsteer
