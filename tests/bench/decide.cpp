// The parts of a decision, one thread, each beside a plain way to do the same:
//   lpm/v4, lpm/v6   longest-prefix match over the internet's routes
//   table            a routing table of all of them
// Run in the project's folder.
#include <cstdio>

#include "../route/bgp_table.hpp"
#include "decide/lpm.hpp"
#include "decide/measure.hpp"

using namespace nfsteer;

int main() {
  bench::print_heading();
  const auto prefixes = testing::read_bgp_table(".");
  if (prefixes.empty()) {
    std::printf("SKIPPED lpm, table: there is no %s\n", testing::kBgpTable);
    return 0;
  }
  bench::bench_lpm<std::uint32_t>("lpm/v4", prefixes);
  bench::bench_lpm<Key128>("lpm/v6", prefixes);
  bench::bench_table(prefixes);
}
