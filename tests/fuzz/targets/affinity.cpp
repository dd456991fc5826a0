// Clients that stay with their servers, against a map: never with a server that was
// not theirs, nor out of time; lists and counts are of the same clients.
#include <map>

#include "../fuzz.hpp"
#include "nfsteer/balance.hpp"

using namespace nfsteer;
using fuzz::Input;

namespace {

struct Kept {
  ServerId server = 0;
  std::uint32_t at_s = 0;
};

Address read_address(Input& in) {
  const std::uint32_t host = in.below(64);
  if (host % 2 == 0) return Address::v4(0x0a00'0000 | host << (in.u8() % 3 * 8));
  return Address::v6(0x2001'0db8'0000'0000 | host % 8, std::uint64_t{host} << (in.u8() % 3 * 24));
}

Prefix read_prefix(Input& in) {
  const Address address = read_address(in);
  const auto length = static_cast<std::uint8_t>(in.below(bits(address.family) + 1));
  return {masked(address, length), length};
}

}  // namespace

FUZZ_TARGET(affinity) {
  constexpr std::uint32_t kMaxima[] = {8, 9, 64, 1000}, kTimeouts[] = {1, 10, 1000};
  Input in(input);
  const AffinityConfig config{static_cast<std::uint8_t>(in.below(33)),
                              static_cast<std::uint8_t>(in.below(129)), in.one_of(kTimeouts),
                              in.one_of(kMaxima)};
  Affinity affinity(config);
  std::map<Address, Kept> kept;
  std::uint32_t now_s = in.number<std::uint16_t>();
  const auto client_of = [&config](const Address& source) {
    return masked(source, source.family == Family::V4 ? config.v4_bits : config.v6_bits);
  };
  const auto is_in_time = [&](const Kept& client) {
    return now_s - client.at_s < config.timeout_s;
  };
  while (!in.is_empty()) {
    const std::uint8_t step = in.u8();
    if (step < 100) {
      const Address source = read_address(in);
      const auto server = static_cast<ServerId>(1 + in.below(5));
      affinity.keep(source, server, now_s);
      kept[client_of(source)] = {server, now_s};
      FUZZ_CHECK(affinity.find(source, now_s) == server);
    } else if (step < 220) {
      const Address source = read_address(in);
      const auto found = affinity.find(source, now_s);
      const auto known = kept.find(client_of(source));
      if (!found) continue;
      FUZZ_CHECK(known != kept.end() && known->second.server == *found);
      FUZZ_CHECK(is_in_time(known->second));
    } else if (step < 235) {
      now_s += step - 219u;
    } else if (step < 245) {
      const Prefix among = read_prefix(in);
      for (const Affinity::Entry& entry : affinity.list(among, now_s)) {
        const auto known = kept.find(entry.client.address);
        FUZZ_CHECK(known != kept.end() && known->second.server == entry.server);
        FUZZ_CHECK(is_in_time(known->second) && now_s - known->second.at_s == entry.age_s);
        FUZZ_CHECK(among.contains(entry.client.address) || entry.client.contains(among.address));
      }
    } else {
      const Prefix among = read_prefix(in);
      affinity.forget(among);
      FUZZ_CHECK(affinity.list(among, now_s).empty());
    }
  }
  const Prefix v4{Address::v4(0), 0}, v6{Address::v6(0, 0), 0};
  FUZZ_CHECK(affinity.clients(now_s) ==
             affinity.list(v4, now_s).size() + affinity.list(v6, now_s).size());
}
