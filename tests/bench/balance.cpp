// Balancers: what a pick costs, and how good it is.
//   cost         a pick at 10, 100 and 1,000 servers, beside asking all under a lock;
//                and what it costs to make a balancer
//   shares       how far from the weights a million picks are
//   disruption   whose flows move when a server goes, returns or is new
//   loads        the most that a server has to do, with flows that come and end
//   slow         what a slow server gets
// A word as argument runs only the parts that begin so.
#include <string_view>

#include "balance/cost.hpp"
#include "balance/quality.hpp"

using namespace nfsteer;

int main(int argc, char** argv) {
  const std::string_view only = argc > 1 ? argv[1] : "";
  const auto wanted = [only](std::string_view part) { return part.starts_with(only); };
  if (wanted("cost")) {
    bench::print_cost_heading();
    for (const std::size_t servers : {10u, 100u, 1'000u}) bench::bench_cost(servers);
  }
  if (wanted("shares")) {
    bench::print_shares(100, bench::kAlike);
    bench::print_shares(5, bench::kDiffering);
  }
  if (wanted("disruption")) bench::print_disruption();
  if (wanted("loads")) bench::print_loads();
  if (wanted("slow")) bench::print_slow_server();
}
