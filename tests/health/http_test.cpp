// http and https, against servers good and hostile.
#include <doctest/doctest.h>

#include <filesystem>

#include "certificates.hpp"
#include "probing.hpp"
#include "servers.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;
using namespace std::chrono_literals;

namespace {

using Options = std::map<std::string, CheckValue, std::less<>>;
using Texts = std::vector<std::string>;

const Address kHere = Address::v4(0x7f00'0001);
constexpr std::size_t kLimit = 64 * 1024;

std::string response(const std::string& status, const std::string& body,
                     const std::string& header = {}) {
  return "HTTP/1.1 " + status + "\r\n" + header + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

}  // namespace

TEST_CASE("http: the status and the body decide") {
  in_own_netns([] {
    static const struct {
      const char* remark;
      std::string answer;
      Options options;
      std::string want;
    } kCases[] = {
        {"by default 200 to 399", response("200 OK", ""), {}, "passed: 200"},
        {"", response("302 Found", ""), {}, "passed: 302"},
        {"", response("399 Other", ""), {}, "passed: 399"},
        {"", response("400 Bad", ""), {}, "failed: 400"},
        {"", response("503 Away", "x"), {}, "failed: 503"},
        {"", "HTTP/1.0 200 OK\r\n\r\n", {}, "passed: 200"},
        {"", "HTTP/1.1 204 None\r\n\r\n", {}, "passed: 204"},
        {"statuses", response("404 No", ""), {{"status", Texts{"200-299", "404"}}}, "passed: 404"},
        {"", response("304 Same", ""), {{"status", Texts{"200-299", "404"}}}, "failed: 304"},
        {"", response("200 OK", ""), {{"status", Texts{"500"}}}, "failed: 200"},
        {"the body is not waited for",
         "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
         {},
         "passed: 200"},
        {"a text",
         response("200 OK", "all is well"),
         {{"body", std::string("well")}},
         "passed: 200"},
        {"",
         response("200 OK", "all is ill"),
         {{"body", std::string("well")}},
         "failed: 200, without the text in its body"},
        {"", response("500 No", "all is well"), {{"body", std::string("well")}}, "failed: 500"},
        {"",
         response("200 OK", ""),
         {{"body", std::string("well")}},
         "failed: 200, without the text in its body"},
        {"it ends with the connection",
         "HTTP/1.1 200 OK\r\n\r\nall is well",
         {{"body", std::string("well")}},
         "passed: 200"},
        {"",
         "HTTP/1.1 200 OK\r\n\r\nall is ill",
         {{"body", std::string("well")}},
         "failed: 200, without the text in its body"},
        {"in chunks, the text across them",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n we\r\n2\r\nll\r\n0\r\n\r\n",
         {{"body", std::string("well")}},
         "passed: 200"},
        {"cut",
         "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nall is well",
         {{"body", std::string("well")}},
         "passed: 200"},
        {"",
         "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nall",
         {{"body", std::string("well")}},
         "failed: closed within its answer"},
        {"what is before the answer",
         "HTTP/1.1 103 Hints\r\n\r\n" + response("200 OK", ""),
         {},
         "passed: 200"},
        {"",
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + response("404 No", ""),
         {},
         "failed: 404"},
        {"", "HTTP/1.1 101 Other\r\n\r\n", {}, "failed: 101"},
        {"no answer", "", {}, "failed: closed before it answered"},
        {"", "HTTP/1.1 200 O", {}, "failed: closed within its answer"},
        {"", "SSH-2.0-OpenSSH_9.2\r\n\r\n", {}, "failed: not HTTP: bad version"},
        {"", "HTTP/1.1 xxx\r\n\r\n", {}, "failed: not HTTP: bad status"},
        {"",
         "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
         {},
         "failed: not HTTP: bad Content-Length"},
    };
    Laboratory laboratory;
    for (const auto& row : kCases) {
      CAPTURE(row.answer);
      const TcpServer server(answer(row.answer));
      CHECK(laboratory.outcome(check_of("http", row.options), kHere, server.port()) == row.want);
    }
  });
}

TEST_CASE("http: what is asked") {
  in_own_netns([] {
    Laboratory laboratory;
    for (const int family : {AF_INET, AF_INET6}) {
      Heard asked;
      const TcpServer server(
          [&](int socket) {
            asked.set(read_request(socket));
            send_all(socket, response("200 OK", ""));
          },
          family);
      CHECK(laboratory.outcome(check_of("http"), loopback_of(family), server.port()) ==
            "passed: 200");
      const std::string host = family == AF_INET ? "127.0.0.1" : "[::1]";
      CHECK(asked.get() ==
            "GET / HTTP/1.1\r\nHost: " + host + ":" + std::to_string(server.port()) +
                "\r\nUser-Agent: nfsteer\r\nAccept: */*\r\nConnection: close\r\n\r\n");
      const Options options{{"path", std::string("/healthz?x=%20")},
                            {"host", std::string("www.example.net")}};
      CHECK(laboratory.outcome(check_of("http", options), loopback_of(family), server.port()) ==
            "passed: 200");
      CHECK(asked.get().starts_with("GET /healthz?x=%20 HTTP/1.1\r\nHost: www.example.net\r\n"));
    }
  });
}

TEST_CASE("http: hostile servers, in bounded time and memory") {
  in_own_netns([] {
    const std::string begun = "HTTP/1.1 200 OK\r\n";
    const Options well{{"body", std::string("well")}};
    static const struct {
      const char* remark;
      TcpServer::Serve serve;
      Options options;
      std::string want;
    } kCases[] = {
        {"silent", be_silent, {}, "silent"},
        {"reset after the connection", reset, {}, "failed: reset"},
        {"a byte now and then", endless("", "H", 30ms), {}, "silent"},
        {"the same in the header", endless(begun, "x", 30ms), {}, "silent"},
        {"the same in the body", endless(begun + "\r\n", "x", 30ms), well, "silent"},
        {"endless headers", endless(begun, "x: y\r\n"), {}, "failed: a header of more than 64 KiB"},
        {"an endless header",
         endless(begun + "x: ", std::string(1'000, 'y')),
         {},
         "failed: a header of more than 64 KiB"},
        {"an endless status",
         endless("HTTP/1.1 200 ", std::string(1'000, 'y')),
         {},
         "failed: a header of more than 64 KiB"},
        {"an endless body", endless(begun + "\r\n", std::string(1'000, 'y')), well,
         "failed: 200, without the text in its body"},
        {"which nobody asks for",
         endless(begun + "\r\n", std::string(1'000, 'y')),
         {},
         "passed: 200"},
        {"endless chunks", endless(begun + "Transfer-Encoding: chunked\r\n\r\n", "3\r\nyyy\r\n"),
         well, "failed: 200, without the text in its body"},
        {"an endless chunk extension",
         endless(begun + "Transfer-Encoding: chunked\r\n\r\n3;x=", std::string(1'000, 'y')), well,
         "failed: a header of more than 64 KiB"},
        {"endless answers before the answer",
         endless("", "HTTP/1.1 100 Continue\r\n\r\n"),
         {},
         "silent"},
    };
    Laboratory laboratory;
    for (const auto& row : kCases) {
      CAPTURE(row.remark);
      const TcpServer server(row.serve);
      const auto limit = row.want == "silent" ? 300ms : 20'000ms;
      CHECK(laboratory.outcome(check_of("http", row.options), kHere, server.port(), limit) ==
            row.want);
    }
  });
}

TEST_CASE("http: many hostile servers at once take bounded memory, and nothing stays") {
  in_own_netns([] {
    const std::string begun = "HTTP/1.1 200 OK\r\n";
    const TcpServer headers(endless(begun + "x: ", std::string(1'000, 'y')));
    const TcpServer body(endless(begun + "\r\n", std::string(1'000, 'y')));
    const TcpServer drip(endless(begun, "x: y\r\n", 10ms));
    const auto check = ready(check_of("http", {{"body", std::string("well")}}));
    Laboratory laboratory;
    laboratory.probe(*check, {"plain", kHere, headers.port()});
    const std::size_t memory = resident_kib(), descriptors = open_descriptors();
    constexpr std::size_t kEach = 60;
    std::size_t ended = 0;
    std::vector<std::unique_ptr<Probe>> probes;
    for (const auto* server : {&headers, &body, &drip})
      for (std::size_t i = 0; i < kEach; ++i)
        probes.push_back(check->start(laboratory.room(), {"plain", kHere, server->port()},
                                      [&](const ProbeEnd&) { ++ended; }));
    std::size_t most = 0;
    laboratory.io().restart();
    const auto until = std::chrono::steady_clock::now() + 60s;
    while (ended < 2 * kEach && std::chrono::steady_clock::now() < until) {
      laboratory.io().run_for(10ms);
      most = std::max(most, resident_kib());
    }
    CHECK(ended == 2 * kEach);  // the third goes on
    // A buffer and a body of at most 192 KiB each; the servers' threads are in it, too.
    CHECK(most - std::min(most, memory) < kShadowFactor * 3 * kEach * 512);
    probes.clear();
    laboratory.settle();
    const auto later = std::chrono::steady_clock::now() + 20s;
    while (open_descriptors() > descriptors && std::chrono::steady_clock::now() < later)
      std::this_thread::sleep_for(2ms);
    CHECK(open_descriptors() <= descriptors);
  });
}

TEST_CASE("http: the text counts within the first 64 KiB") {
  in_own_netns([] {
    const Options well{{"body", std::string("well")}};
    Laboratory laboratory;
    for (const std::size_t before : {0ul, 1ul, kLimit - 5, kLimit - 4, kLimit - 3, kLimit}) {
      CAPTURE(before);
      const TcpServer server(answer(response("200 OK", std::string(before, 'x') + "well")));
      CHECK(laboratory.outcome(check_of("http", well), kHere, server.port()) ==
            (before + 4 <= kLimit ? "passed: 200" : "failed: 200, without the text in its body"));
    }
  });
}

// ---- TLS ------------------------------------------------------------------------

TEST_CASE("https: certificates") {
  in_own_netns([] {
    const Authority authority("the authority"), stranger("a stranger");
    const TemporaryAuthorities trusted(authority);
    static const struct {
      const char* remark;
      CertificateWish wish;
      const Authority* signer;  // null: by itself
      Options options;
      std::string want;
    } kCases[] = {
        {"good, by its address", {.names = "IP:127.0.0.1"}, &authority, {}, "passed: 200"},
        {"good, by its name",
         {.names = "DNS:www.example.net"},
         &authority,
         {{"host", std::string("www.example.net")}},
         "passed: 200"},
        {"by a pattern",
         {.names = "DNS:*.example.net"},
         &authority,
         {{"host", std::string("www.example.net")}},
         "passed: 200"},
        {"by an address as name",
         {.names = "IP:192.0.2.1"},
         &authority,
         {{"host", std::string("192.0.2.1")}},
         "passed: 200"},
        {"another name",
         {.names = "DNS:www.example.org"},
         &authority,
         {{"host", std::string("www.example.net")}},
         "failed: certificate: hostname mismatch"},
        {"a name, where the address is asked",
         {.names = "DNS:localhost"},
         &authority,
         {},
         "failed: certificate: IP address mismatch"},
        {"expired",
         {.names = "IP:127.0.0.1", .from_days = -20, .to_days = -10},
         &authority,
         {},
         "failed: certificate: certificate has expired"},
        {"not yet",
         {.names = "IP:127.0.0.1", .from_days = 10, .to_days = 20},
         &authority,
         {},
         "failed: certificate: certificate is not yet valid"},
        {"self-signed",
         {.names = "IP:127.0.0.1"},
         nullptr,
         {},
         "failed: certificate: self-signed certificate"},
        {"of a stranger",
         {.names = "IP:127.0.0.1"},
         &stranger,
         {},
         "failed: certificate: unable to get local issuer certificate"},
        {"not verified",
         {.names = "DNS:x", .from_days = -20, .to_days = -10},
         nullptr,
         {{"verify", false}},
         "passed: 200"},
        {"not verified, another failure",
         {.names = "DNS:x"},
         nullptr,
         {{"verify", false}, {"status", Texts{"404"}}},
         "failed: 200"},
    };
    Laboratory laboratory;
    for (const auto& row : kCases) {
      CAPTURE(row.remark);
      const TlsServer server(row.wish, row.signer, response("200 OK", ""));
      CHECK(laboratory.outcome(check_of("https", row.options), kHere, server.port()) == row.want);
      if (row.want == "passed: 200" && row.wish.names.ends_with("example.net"))
        CHECK(server.asked_for() == "www.example.net");
    }
  });
}

TEST_CASE("https: hostile servers") {
  in_own_netns([] {
    const Options insecure{{"verify", false}};
    const Options well{{"verify", false}, {"body", std::string("well")}};
    Laboratory laboratory;
    const auto outcome = [&](const TcpServer::Serve& serve, std::chrono::milliseconds limit) {
      const TcpServer server(serve);
      return laboratory.outcome(check_of("https", insecure), kHere, server.port(), limit);
    };
    CHECK(outcome(be_silent, 200ms) == "silent");
    CHECK(outcome(reset, 20s) == "failed: reset");
    CHECK(outcome(endless("HTTP/1.1 400 Bad\r\n\r\n", "x"), 20s) ==
          "failed: TLS: wrong version number");
    CHECK(outcome(endless("\x16\x03\x03\x40", "x", 30ms), 300ms).starts_with("silent"));
    const auto listen_and_go = [](int socket) {
      std::array<char, 4'096> hello;
      (void)::recv(socket, hello.data(), hello.size(), 0);
    };
    CHECK(outcome(listen_and_go, 20s) == "failed: closed before it answered");

    const TlsServer cut({.names = "DNS:x"}, nullptr, "HTTP/1.1 200 O");
    CHECK(laboratory.outcome(check_of("https", insecure), kHere, cut.port())
              .starts_with("failed: closed"));
    const TlsServer body({.names = "DNS:x"}, nullptr, response("200 OK", "all is well"));
    CHECK(laboratory.outcome(check_of("https", well), kHere, body.port()) == "passed: 200");
    const TlsServer large({.names = "DNS:x"}, nullptr,
                          "HTTP/1.1 200 OK\r\n\r\n" + std::string(10 * kLimit, 'x'));
    CHECK(laboratory.outcome(check_of("https", well), kHere, large.port()) ==
          "failed: 200, without the text in its body");
  });
}
