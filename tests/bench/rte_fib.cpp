// Our longest-prefix match beside that of DPDK (rte_fib, rte_fib6), in one run:
// over the internet's routes, one thread, batches of 64 as rte_fib wants them.
// Built where DPDK's headers are (package libdpdk-dev). Run in the project's folder.
#include <rte_eal.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_memory.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "../bgp_table.hpp"
#include "decide/lpm.hpp"
#include "measure.hpp"

using namespace nfsteer;

namespace {

constexpr std::uint64_t kNoRoute = 0xffff;
constexpr std::size_t kBatch = 64;

using Key6 = std::array<std::uint8_t, RTE_FIB6_IPV6_ADDR_SIZE>;

Key6 bytes_of(Key128 key) {
  Key6 bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>(key >> (120 - 8 * i));
  return bytes;
}

template <typename Fib, typename Keys, typename Lookup>
auto batches(const Fib& fib, const Keys& keys, Lookup lookup) {
  return [&fib, &keys, lookup] {
    std::uint64_t sum = 0;
    std::array<std::uint64_t, kBatch> found{};
    for (std::size_t i = 0; i + kBatch <= keys.size(); i += kBatch) {
      lookup(fib, &keys[i], found.data());
      for (const std::uint64_t each : found) sum += each;
    }
    return sum;
  };
}

void bench_v4(const std::vector<Prefix>& prefixes) {
  const auto entries = bench::make_entries<std::uint32_t>(prefixes);
  const auto keys = bench::make_keys<std::uint32_t>(entries);
  const Lpm<std::uint32_t> lpm(entries);
  rte_fib_conf conf{};
  conf.type = RTE_FIB_DIR24_8;
  conf.default_nh = kNoRoute;
  conf.max_routes = 2'000'000;
  conf.dir24_8.nh_sz = RTE_FIB_DIR24_8_4B;
  conf.dir24_8.num_tbl8 = 1u << 15;
  const double before = bench::resident_bytes();
  rte_fib* fib = rte_fib_create("v4", SOCKET_ID_ANY, &conf);
  if (!fib) return static_cast<void>(std::puts("SKIPPED rte_fib: no memory for it"));
  const double built = bench::time_ns(1, [&] {
    int failed = 0;
    for (const auto& entry : entries)
      failed += rte_fib_add(fib, entry.first, entry.length, entry.value) != 0;
    return failed;
  });
  const double bytes = bench::resident_bytes() - before;
  const auto times = bench::measure(
      keys.size(), bench::independent(lpm, keys),
      batches(fib, keys, [](rte_fib* table, const std::uint32_t* from, std::uint64_t* found) {
        rte_fib_lookup_bulk(table, const_cast<std::uint32_t*>(from), found, kBatch);
      }));
  bench::print_row("lpm/v4", times[0], "rte_fib, DIR24_8", times[1]);
  const auto routes = static_cast<double>(entries.size());
  std::printf("%-24s rte_fib: %.0f bytes a route, %.0f ms to build; ours: %.1f bytes\n", "",
              bytes / routes, built / 1e6, static_cast<double>(lpm.bytes()) / routes);
}

void bench_v6(const std::vector<Prefix>& prefixes) {
  const auto entries = bench::make_entries<Key128>(prefixes);
  const auto keys = bench::make_keys<Key128>(entries);
  std::vector<Key6> wire_keys;
  for (const Key128 key : keys) wire_keys.push_back(bytes_of(key));
  const Lpm<Key128> lpm(entries);
  rte_fib6_conf conf{};
  conf.type = RTE_FIB6_TRIE;
  conf.default_nh = kNoRoute;
  conf.max_routes = 1'000'000;
  conf.trie.nh_sz = RTE_FIB6_TRIE_4B;
  conf.trie.num_tbl8 = 1u << 17;
  rte_fib6* fib = rte_fib6_create("v6", SOCKET_ID_ANY, &conf);
  if (!fib) return static_cast<void>(std::puts("SKIPPED rte_fib6: no memory for it"));
  for (const auto& entry : entries)
    rte_fib6_add(fib, bytes_of(entry.first).data(), entry.length, entry.value);
  const auto times = bench::measure(
      keys.size(), bench::independent(lpm, keys),
      batches(fib, wire_keys, [](rte_fib6* table, const Key6* from, std::uint64_t* found) {
        rte_fib6_lookup_bulk(
            table,
            const_cast<std::uint8_t(*)[RTE_FIB6_IPV6_ADDR_SIZE]>(
                reinterpret_cast<const std::uint8_t(*)[RTE_FIB6_IPV6_ADDR_SIZE]>(from)),
            found, kBatch);
      }));
  bench::print_row("lpm/v6", times[0], "rte_fib6, trie", times[1]);
}

}  // namespace

int main() {
  std::vector<std::string> words = {"bench",          "--no-huge", "--no-shconf", "--no-pci",
                                    "--no-telemetry", "-m",        "2048",        "--log-level=1"};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) {
    std::puts("SKIPPED rte_fib: DPDK does not start here");
    return 0;
  }
  const auto prefixes = testing::read_bgp_table(".");
  if (prefixes.empty()) {
    std::printf("SKIPPED rte_fib: there is no %s\n", testing::kBgpTable);
    return 0;
  }
  bench::print_heading();
  bench_v4(prefixes);
  bench_v6(prefixes);
}
