// Captures that are good, and those that are not: counted, or a clear error.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>
#include <numeric>
#include <random>
#include <thread>

#include "../config/rules_text.hpp"
#include "nfsteer/replay.hpp"
#include "pcap_file.hpp"

using namespace nfsteer;
using namespace nfsteer::testing;

namespace {

constexpr std::uint32_t kCopy = 256;

// The flows that begin, and how many are over.
struct Seen {
  std::vector<FlowEvent> begun;
  std::size_t over = 0;
};

Seen read_all(CaptureFlows& flows) {
  Seen seen;
  while (const auto event = flows.next()) {
    if (event->flow)
      seen.begun.push_back(*event);
    else
      ++seen.over;
  }
  return seen;
}

std::uint64_t sum_of(const CaptureCounts& counts) {
  std::uint64_t sum =
      counts.opened + counts.followed + counts.mid_stream + counts.apart + counts.not_ip;
  for (const auto& [reason, count] : counts.malformed) sum += count;
  return sum;
}

}  // namespace

TEST_CASE("capture: its flows, one after the other") {
  const TemporaryFolder folder;
  std::string file = pcap_header();
  add_packet(file, 0, ipv4(17, ports(1, 53)));
  add_packet(file, 500'000, ipv4(17, ports(2, 53)));
  add_packet(file, 31'000'000, ipv4(17, ports(1, 53)));
  folder.write("a.pcap", file);
  auto flows = CaptureFlows::open(folder / "a.pcap", kCopy);
  REQUIRE(flows);
  const Seen seen = read_all(*flows);
  REQUIRE(seen.begun.size() == 3);
  CHECK(seen.over == 2);
  CHECK(to_string(seen.begun[1].flow->tuple) == "udp 192.0.2.7:2 -> 10.9.9.9:53");
  CHECK(seen.begun[1].after == std::chrono::milliseconds(500));
  CHECK(to_utc_string(seen.begun[2].at) == "2023-11-14T22:13:51Z");
  CHECK(seen.begun[2].packet == 3);
  CHECK_FALSE(flows->error());
  CHECK(flows->next() == std::nullopt);
}

TEST_CASE("capture: what cannot be opened") {
  const TemporaryFolder folder;
  folder.write("empty", "");
  folder.write("text", "#!/bin/sh\n");
  folder.write("gzip", std::string("\x1f\x8b\x08\0", 4) + std::string(60, 'x'));
  folder.write("header", pcap_header().substr(0, 20));
  std::string wireless = pcap_header();
  wireless[20] = 105;
  folder.write("wireless", wireless);
  std::string unknown = pcap_header();
  unknown[21] = 3;
  folder.write("unknown", unknown);
  ::mkdir((folder / "folder").c_str(), 0700);
  const struct {
    const char* file;
    const char* want;
  } kCases[] = {
      {"none", "No such file"},
      {"empty", "is no capture: truncated dump file"},
      {"text", "is no capture: unknown file format"},
      {"gzip", "is no capture: unknown file format"},
      {"header", "is no capture: truncated dump file"},
      {"folder", "Is a directory"},
      {"wireless", "has frames of IEEE802_11: Ethernet"},
      {"unknown", "has frames of 869: Ethernet"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.file);
    const auto flows = CaptureFlows::open(folder / row.file, kCopy);
    REQUIRE_FALSE(flows);
    CAPTURE(flows.error().message);
    CHECK(flows.error().message.find(row.want) != std::string::npos);
    CHECK(flows.error().message.find(row.file) != std::string::npos);
  }
}

TEST_CASE("capture: a FIFO whose writer goes away") {
  const TemporaryFolder folder;
  const std::string fifo = folder / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const std::string whole = udp_capture(3);
  for (const std::size_t length :
       {whole.size(), whole.size() - 1, std::size_t{24}, std::size_t{10}, std::size_t{0}}) {
    CAPTURE(length);
    std::thread writer([&] { std::ofstream(fifo) << whole.substr(0, length); });
    auto flows = CaptureFlows::open(fifo, kCopy);
    writer.join();
    CHECK(flows.has_value() == (length >= 24));
    if (!flows) continue;
    CHECK(read_all(*flows).begun.size() == (length == whole.size() ? 3 : length == 24 ? 0 : 2));
    CHECK(flows->error().has_value() == (length == whole.size() - 1));
  }
}

TEST_CASE("capture: cut at every byte") {
  const TemporaryFolder folder;
  const std::string whole = udp_capture(3);
  const std::size_t record = (whole.size() - 24) / 3;
  for (std::size_t length = 24; length <= whole.size(); ++length) {
    folder.write("cut", whole.substr(0, length));
    auto flows = CaptureFlows::open(folder / "cut", kCopy);
    REQUIRE(flows);
    CHECK(read_all(*flows).begun.size() == (length - 24) / record);
    CHECK(flows->error().has_value() == ((length - 24) % record != 0));
    if (flows->error())
      CHECK(flows->error()->message.find("cannot be read further") != std::string::npos);
  }
}

TEST_CASE("capture: damaged bytes are counted, or end it; every packet is of one kind") {
  const TemporaryFolder folder;
  std::mt19937 random(7);
  std::string whole = pcap_header();
  const Packet packets[] = {ipv4(6, ports(1, 80)),     ipv4(17, ports(2, 53)),
                            ipv6(17, ports(3, 53)),    ipv6(0, extension(6, ports(4, 80))),
                            ipv4(1, ports(0x0800, 0)), ipv4(47, {})};
  for (std::uint64_t i = 0; i < 60; ++i) add_packet(whole, i * 1'000'000, packets[i % 6]);
  std::uint64_t malformed = 0, ended = 0;
  for (int i = 0; i < 300; ++i) {
    std::string damaged = whole;
    for (int k = 0; k < 20; ++k)
      damaged[24 + random() % (damaged.size() - 24)] = static_cast<char>(random());
    folder.write("damaged", damaged);
    auto flows = CaptureFlows::open(folder / "damaged", kCopy);
    REQUIRE(flows);
    const Seen seen = read_all(*flows);
    const CaptureCounts counts = flows->counts();
    CHECK(counts.packets == sum_of(counts));
    CHECK(counts.opened == seen.begun.size());
    CHECK(seen.over <= seen.begun.size());
    malformed += counts.malformed.size();
    ended += flows->error() ? 1u : 0u;
  }
  CHECK(malformed > 50);
  CHECK(ended > 50);
}

TEST_CASE("capture: of a packet so much is read as the engine gets") {
  const TemporaryFolder folder;
  std::string file = pcap_header();
  Packet far = ports(1, 80);
  for (int i = 0; i < 4; ++i) far = extension(i == 0 ? 17 : 60, far, 4);
  add_packet(file, 0, ipv6(60, far));
  folder.write("a", file);
  for (const std::uint32_t copy : {64u, 256u}) {
    auto flows = CaptureFlows::open(folder / "a", copy);
    REQUIRE(flows);
    CHECK(read_all(*flows).begun.size() == (copy == 256 ? 1 : 0));
    CHECK(flows->counts().malformed.contains("truncated_options") == (copy == 64));
  }
}

TEST_CASE("capture: says how far it is") {
  const TemporaryFolder folder;
  std::string file = pcap_header();
  for (std::uint64_t i = 0; i < 600'000; ++i) add_packet(file, i, ipv4(47, {}));
  folder.write("long", file);
  auto flows = CaptureFlows::open(folder / "long", kCopy);
  REQUIRE(flows);
  std::vector<double> shares;
  flows->on_progress([&](std::uint64_t packets, std::optional<double> share) {
    CHECK(packets == (shares.size() + 1) << 18);
    REQUIRE(share);
    shares.push_back(*share);
  });
  read_all(*flows);
  REQUIRE(shares.size() == 2);
  CHECK(shares[0] == doctest::Approx(0.44).epsilon(0.02));
  CHECK(shares[1] == doctest::Approx(0.87).epsilon(0.02));
}
