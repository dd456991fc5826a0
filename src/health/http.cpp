// http: a GET request, and whether its status, and if asked for its body, is good.
#include "http_attempt.hpp"

namespace nfsteer {
namespace {

constexpr std::uint16_t kPort = 80;

class HttpCheck final : public Check {
 public:
  explicit HttpCheck(const CheckConfig& config)
      : rules_(std::make_shared<const HttpRules>(http_rules(config, kPort))) {}

  std::unique_ptr<Probe> start(ProbeRoom& room, const CheckTarget& target,
                               Done done) const override {
    return launch<HttpAttempt<boost::asio::ip::tcp::socket>>(room, target, rules_, std::move(done));
  }

 private:
  const std::shared_ptr<const HttpRules> rules_;
};

constexpr CheckOption kOptions[] = {kHttpPath, kHttpHost, kHttpStatus, kHttpBody};

}  // namespace

const CheckKind k_check_http{
    .name = "http",
    .summary = "the status of a page, and what it contains",
    .port = CheckKind::Port::Needed,
    .options = kOptions,
    .make = [](const CheckConfig& config) -> Result<std::shared_ptr<const Check>> {
      return std::make_shared<HttpCheck>(config);
    },
};

}  // namespace nfsteer
