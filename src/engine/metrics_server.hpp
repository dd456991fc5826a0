// GET /metrics.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "control_server.hpp"
#include "nfsteer/base/address.hpp"
#include "nfsteer/base/result.hpp"

namespace nfsteer {

// A web server of one page, in the loop of the control socket. kScrapersMax connections,
// kScrapeLimit for a request to arrive and its answer to be taken, requests of 8 KiB; who
// breaks one is disconnected.
class MetricsServer {
 public:
  // `page` makes the text; it is called in the loop's thread.
  MetricsServer(ControlServer& loop, std::function<std::string()> page);
  ~MetricsServer();

  // Listens there from now on; nullopt: nowhere. The error leaves it as it was.
  Result<void> listen(const std::optional<Endpoint>& endpoint);

  static constexpr std::size_t kScrapersMax = 16;
  static constexpr std::chrono::seconds kScrapeLimit{5};

 private:
  class Listener;
  ControlServer& loop_;
  std::function<std::string()> page_;
  std::optional<Endpoint> endpoint_;
  std::shared_ptr<Listener> listener_;
};

}  // namespace nfsteer
