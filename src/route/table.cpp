#include <algorithm>
#include <utility>

#include "nfsteer/route.hpp"

namespace nfsteer {

Table::Table(std::string name, std::int32_t priority, std::vector<Route> routes)
    : name_(std::move(name)), priority_(priority), routes_(std::move(routes)) {
  std::stable_sort(routes_.begin(), routes_.end(), [](const Route& a, const Route& b) {
    if (a.prefix.length != b.prefix.length) return a.prefix.length > b.prefix.length;
    return a.metric < b.metric;
  });
}

}  // namespace nfsteer
