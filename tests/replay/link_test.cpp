#include "replay/link.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "nfsteer/base/text.hpp"

using namespace nfsteer;

namespace {

using Bytes = std::vector<std::byte>;

// "0800 45 00": bytes in hexadecimal; spaces do not count.
Bytes bytes(const std::string& text) {
  Bytes made;
  std::string digits;
  for (const char c : text)
    if (c != ' ') digits += c;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    made.push_back(static_cast<std::byte>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  return made;
}

const std::string kMac = "020000000002 020000000001 ";
const std::string kCooked = "0000 0001 0006 0200000000010000 ";
const std::string kCooked2 = "0000 00000003 0001 00 06 0200000000010000 ";

}  // namespace

TEST_CASE("links: where the network header begins") {
  const struct {
    const char* remark;
    Link link;
    std::string frame;
    int want;  // the byte; -1: not IP
  } kCases[] = {
      {"IPv4", Link::Ethernet, kMac + "0800 45", 14},
      {"IPv6", Link::Ethernet, kMac + "86dd 60", 14},
      {"the type decides, not what follows", Link::Ethernet, kMac + "0800 60", 14},
      {"ARP", Link::Ethernet, kMac + "0806 0001", -1},
      {"IEEE 802.3: a length", Link::Ethernet, kMac + "0026 4242", -1},
      {"nothing behind the header", Link::Ethernet, kMac + "0800", 14},
      {"cut in the header", Link::Ethernet, kMac + "08", -1},
      {"nothing", Link::Ethernet, "", -1},
      {"802.1Q", Link::Ethernet, kMac + "8100 000a 0800 45", 18},
      {"802.1ad", Link::Ethernet, kMac + "88a8 0014 8100 000a 86dd 60", 22},
      {"the older number", Link::Ethernet, kMac + "9100 0014 8100 000a 0800 45", 22},
      {"a tag and ARP", Link::Ethernet, kMac + "8100 000a 0806 0001", -1},
      {"cut in the tag", Link::Ethernet, kMac + "8100 000a 08", -1},
      {"tags to the end", Link::Ethernet, kMac + "8100 000a 8100 000a 8100 000a 8100", -1},
      {"cooked", Link::Cooked, kCooked + "0800 45", 16},
      {"cooked, tagged", Link::Cooked, kCooked + "8100 000a 86dd 60", 20},
      {"cooked, cut", Link::Cooked, kCooked + "08", -1},
      {"cooked 2", Link::Cooked2, "0800 " + kCooked2 + "45", 20},
      {"cooked 2, ARP", Link::Cooked2, "0806 " + kCooked2 + "45", -1},
      {"cooked 2, cut", Link::Cooked2, "0800 " + kCooked2.substr(3), -1},
      {"raw", Link::Raw, "45 00", 0},
      {"raw, nothing", Link::Raw, "", 0},
      {"loopback, little", Link::Loopback, "02000000 45", 4},
      {"loopback, big", Link::Loopback, "00000002 45", 4},
      {"loopback, IPv6 of Linux", Link::Loopback, "0a000000 60", 4},
      {"loopback, IPv6 of OpenBSD", Link::Loopback, "00000018 60", 4},
      {"loopback, IPv6 of FreeBSD", Link::Loopback, "1c000000 60", 4},
      {"loopback, IPv6 of macOS", Link::Loopback, "1e000000 60", 4},
      {"loopback, AppleTalk", Link::Loopback, "10000000 60", -1},
      {"loopback, no family of either order", Link::Loopback, "02000002 60", -1},
      {"loopback, cut", Link::Loopback, "020000", -1},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.remark);
    const Bytes frame = bytes(row.frame);
    const auto packet = network_packet(row.link, frame);
    CHECK((packet ? static_cast<int>(packet->data() - frame.data()) : -1) == row.want);
    if (packet) CHECK(packet->size() == frame.size() - static_cast<std::size_t>(row.want));
  }
}

TEST_CASE("links: frames cut at every byte") {
  const Bytes whole = bytes(kMac + "88a8 0014 8100 000a 86dd 60000000");
  for (const Link link : {Link::Ethernet, Link::Cooked, Link::Cooked2, Link::Raw, Link::Loopback})
    for (std::size_t length = 0; length <= whole.size(); ++length) {
      // Exactly sized on the heap, so that a sanitizer sees one byte too far.
      const auto copy = std::make_unique<std::byte[]>(length);
      if (length > 0) std::memcpy(copy.get(), whole.data(), length);
      const auto packet = network_packet(link, {copy.get(), length});
      CHECK((!packet || packet->size() <= length));
    }
}
