// The parts of a decision, one thread, each beside a plain way to do the same:
//   lpm/v4, lpm/v6     longest-prefix match over the internet's routes
//   table              a routing table of all of them
//   classify/...       the first of many rules that a flow matches
//   decide/...         the whole decision, beside the sum of its parts
//   route-cache/...    the same flows with and without the route cache
//   memo/...           the memory of decisions
//   compile            from text files to a snapshot
// Run in the project's folder. A word as argument runs only the parts that begin so.
#include <cstdio>
#include <string_view>

#include "../bgp_table.hpp"
#include "decide/classify.hpp"
#include "decide/compile.hpp"
#include "decide/lpm.hpp"
#include "decide/memo.hpp"
#include "decide/whole.hpp"
#include "measure.hpp"

using namespace nfsteer;

int main(int argc, char** argv) {
  const std::string_view only = argc > 1 ? argv[1] : "";
  const auto wanted = [only](std::string_view part) { return part.starts_with(only); };
  bench::print_heading();
  if (wanted("classify")) {
    bench::bench_classbench(".");
    bench::bench_made_rules();
  }
  if (wanted("memo"))
    for (const std::uint32_t flows : {4'096u, 65'536u, 1'048'576u}) bench::bench_memo(flows);

  const auto prefixes = testing::read_bgp_table(".");
  if (prefixes.empty()) {
    std::printf("SKIPPED lpm, table, decide, route-cache, compile: there is no %s\n",
                testing::kBgpTable);
    return 0;
  }
  if (wanted("lpm")) {
    bench::bench_lpm<std::uint32_t>("lpm/v4", prefixes);
    bench::bench_lpm<Key128>("lpm/v6", prefixes);
  }
  if (wanted("table")) bench::bench_table(prefixes);
  const auto few = testing::make_rules(testing::kAcl, 10'000);
  const auto many = testing::make_rules(testing::kAcl, 100'000);
  if (wanted("decide")) {
    bench::bench_whole("decide/10,000", few, prefixes);
    bench::bench_whole("decide/100,000", many, prefixes);
  }
  if (wanted("route-cache")) {
    bench::bench_route_cache("route-cache/10,000", few, prefixes);
    bench::bench_route_cache("route-cache/100,000", many, prefixes);
  }
  if (wanted("compile")) bench::bench_compile(many, prefixes);
}
