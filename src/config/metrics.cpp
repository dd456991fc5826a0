// [metrics]
#include "reader.hpp"
#include "sections.hpp"

namespace nfsteer {

std::optional<Endpoint> read_metrics(const Node& node, Report& report) {
  TableReader in(node, "metrics", report);
  in.require({"listen"});
  const auto listen = in.parsed("listen", parse_endpoint);
  in.finish();
  return listen;
}

}  // namespace nfsteer
