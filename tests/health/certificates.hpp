// Certificates made on the spot, and a TLS server that shows them.
#pragma once

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "../config/rules_text.hpp"
#include "servers.hpp"

namespace nfsteer::testing {

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* thing) const {
    Free(thing);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;

struct CertificateWish {
  std::string names;                // subjectAltName, such as "DNS:www.example.net"
  int from_days = -1, to_days = 1;  // from now
};

inline void add_extension(X509* certificate, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str()));
  REQUIRE(extension);
  X509_add_ext(certificate, extension.get(), -1);
}

// Signed by its own key; the signature may be replaced.
inline Certificate make_certificate(EVP_PKEY* key, const std::string& subject,
                                    const CertificateWish& wish) {
  static long serial = 0;
  Certificate made(X509_new());
  constexpr long kDay = 24 * 60 * 60;
  X509_set_version(made.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), wish.from_days * kDay);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), wish.to_days * kDay);
  X509_set_pubkey(made.get(), key);
  X509_NAME* const name = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(subject.c_str()), -1, -1, 0);
  X509_set_issuer_name(made.get(), name);
  if (!wish.names.empty()) add_extension(made.get(), NID_subject_alt_name, wish.names);
  X509_sign(made.get(), key, EVP_sha256());
  return made;
}

// Who signs the certificates of others.
class Authority {
 public:
  explicit Authority(const std::string& name)
      : key_(EVP_EC_gen("P-256")), certificate_(make_certificate(key_.get(), name, {.names = ""})) {
    add_extension(certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(certificate_.get(), key_.get(), EVP_sha256());
  }
  void sign(X509* certificate) const {
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate_.get()));
    X509_sign(certificate, key_.get(), EVP_sha256());
  }
  X509* certificate() const { return certificate_.get(); }

 private:
  Key key_;
  Certificate certificate_;
};

// For as long as it lives the system trusts the authority alone.
class TemporaryAuthorities {
 public:
  explicit TemporaryAuthorities(const Authority& authority) {
    const std::string file = folder_ / "authorities.pem";
    std::FILE* const out = std::fopen(file.c_str(), "w");
    REQUIRE(out != nullptr);
    PEM_write_X509(out, authority.certificate());
    std::fclose(out);
    ::setenv("SSL_CERT_FILE", file.c_str(), 1);
    ::setenv("SSL_CERT_DIR", (folder_ / "none").c_str(), 1);
  }
  ~TemporaryAuthorities() {
    ::unsetenv("SSL_CERT_FILE");
    ::unsetenv("SSL_CERT_DIR");
  }

 private:
  TemporaryFolder folder_;
};

// Answers one request of each connection, over TLS.
class TlsServer {
 public:
  TlsServer(const CertificateWish& wish, const Authority* signer, std::string answer)
      : answer_(std::move(answer)),
        context_(SSL_CTX_new(TLS_server_method())),
        server_([this](int socket) { serve(socket); }) {
    const Key key(EVP_EC_gen("P-256"));
    const Certificate certificate = make_certificate(key.get(), "server", wish);
    if (signer) signer->sign(certificate.get());
    SSL_CTX_use_certificate(context_.get(), certificate.get());
    SSL_CTX_use_PrivateKey(context_.get(), key.get());
  }
  std::uint16_t port() const { return server_.port(); }
  // The name that the last client asked for. REQUIRES: it was answered
  std::string asked_for() const { return asked_for_.get(); }

 private:
  void serve(int socket) {
    const std::unique_ptr<SSL, Freed<SSL_free>> session(SSL_new(context_.get()));
    SSL_set_fd(session.get(), socket);
    if (SSL_accept(session.get()) != 1) return;
    const char* const name = SSL_get_servername(session.get(), TLSEXT_NAMETYPE_host_name);
    asked_for_.set(name ? name : "");
    std::array<char, 1024> request;
    if (SSL_read(session.get(), request.data(), request.size()) <= 0) return;
    SSL_write(session.get(), answer_.data(), static_cast<int>(answer_.size()));
  }

  const std::string answer_;
  const std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>> context_;
  Heard asked_for_;
  TcpServer server_;
};

}  // namespace nfsteer::testing
