// A balancer that draws one server.
#pragma once

#include <utility>

#include "lottery.hpp"

namespace nfsteer {

class DrawnBalancer final : public Balancer {
 public:
  explicit DrawnBalancer(Lottery lottery) : lottery_(std::move(lottery)) {}

  std::size_t pick(const Pick& pick) const noexcept override {
    Draws draws = lottery_.draws(pick.turn);
    return lottery_.draw(draws).index;
  }

 private:
  const Lottery lottery_;
};

}  // namespace nfsteer
