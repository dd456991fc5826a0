// https: as http, over TLS; and whether the certificate is good.
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>

#include "http_attempt.hpp"
#include "options.hpp"

namespace nfsteer {
namespace {

namespace ssl = boost::asio::ssl;
using TlsStream = ssl::stream<boost::asio::ip::tcp::socket>;

constexpr std::uint16_t kPort = 443;

class HttpsAttempt final : public HttpAttempt<TlsStream> {
 public:
  using HttpAttempt::HttpAttempt;

 private:
  void secure() override {
    if (!name_server()) return finish({ProbeOutcome::Skipped, "OpenSSL has no memory"});
    stream_.async_handshake(ssl::stream_base::client, bound([this](const Code& error) {
                              if (error) return finish(end_of_handshake(error));
                              ask();
                            }));
  }

  // Says whom we mean, and whose certificate is expected.
  bool name_server() {
    SSL* const session = stream_.native_handle();
    const std::string& host = rules_->host;
    boost::system::error_code no_address;
    boost::asio::ip::make_address(host, no_address);
    if (host.empty() || !no_address) {
      const std::string address = host.empty() ? server_.address().to_string() : host;
      return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), address.c_str()) == 1;
    }
    return SSL_set_tlsext_host_name(session, host.c_str()) == 1 &&
           SSL_set1_host(session, host.c_str()) == 1;
  }

  ProbeEnd end_of_handshake(const Code& error) {
    SSL* const session = stream_.native_handle();
    const long verified = SSL_get_verify_result(session);
    if ((SSL_get_verify_mode(session) & SSL_VERIFY_PEER) == 0 || verified == X509_V_OK)
      return end_of_stream(error);
    return {ProbeOutcome::Failed,
            format("certificate: {}", X509_verify_cert_error_string(verified))};
  }

  ProbeEnd end_of_stream(const Code& error) const override {
    if (error == ssl::error::stream_truncated) return end_of_http(boost::asio::error::eof);
    if (error.category() == boost::asio::error::get_ssl_category())
      return {ProbeOutcome::Failed, format("TLS: {}", error.message())};
    return end_of_http(error);
  }
};

class HttpsCheck final : public Check {
 public:
  explicit HttpsCheck(const CheckConfig& config)
      : rules_(std::make_shared<const HttpRules>(http_rules(config, kPort))),
        context_(ssl::context::tls_client) {
    const bool verify = flag_option(config, "verify", true);
    context_.set_verify_mode(verify ? ssl::verify_peer : ssl::verify_none);
    if (verify) context_.set_default_verify_paths();
    SSL_CTX_set_min_proto_version(context_.native_handle(), TLS1_2_VERSION);
    SSL_CTX_set_mode(context_.native_handle(), SSL_MODE_RELEASE_BUFFERS);
  }

  std::unique_ptr<Probe> start(ProbeRoom& room, const CheckTarget& target,
                               Done done) const override {
    return launch<HttpsAttempt>(room, target, rules_, std::move(done), context_);
  }

 private:
  const std::shared_ptr<const HttpRules> rules_;
  mutable ssl::context context_;  // changed by nobody, though asked for as if
};

Result<std::shared_ptr<const Check>> make(const CheckConfig& config) {
  try {
    return std::make_shared<HttpsCheck>(config);
  } catch (const boost::system::system_error& error) {
    return fail(format("OpenSSL: {}", error.code().message()));
  }
}

constexpr CheckOption kOptions[] = {
    kHttpPath,
    kHttpHost,
    kHttpStatus,
    kHttpBody,
    {.key = "verify", .type = CheckOption::Type::Flag, .expects = "true or false"}};

}  // namespace

const CheckKind k_check_https{
    .name = "https",
    .summary = "the same over TLS, with a certificate that is good",
    .port = CheckKind::Port::Needed,
    .options = kOptions,
    .make = make,
};

}  // namespace nfsteer
