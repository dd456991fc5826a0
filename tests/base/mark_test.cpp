#include "nfsteer/base/mark.hpp"

#include <doctest/doctest.h>

using namespace nfsteer;

TEST_CASE("mark masks: accepted and refused") {
  static constexpr struct {
    std::uint32_t mask;
    std::uint32_t servers;  // 0: refused
  } kCases[] = {
      {0xfff00000, 4093}, {0x00000007, 5}, {0x7f000000, 125}, {0x0000ffff, 65533}, {0, 0},
      {0x80000000, 0},    {0x00000003, 0},  // too small
      {0xf0f00000, 0},    {0x80000001, 0},  // two runs
      {0xffffffff, 0},    {0x0001ffff, 0},  // more than ids have bits
  };
  for (const auto& row : kCases) {
    CAPTURE(row.mask);
    const auto layout = make_mark_layout(row.mask);
    REQUIRE(layout.has_value() == (row.servers != 0));
    if (layout) CHECK(layout->server_max() == row.servers);
  }
}

TEST_CASE("marks: values are distinct, inside the mask, and leave the rest alone") {
  for (const std::uint32_t mask : {0xfff00000u, 0x00000070u, 0x0000ffffu}) {
    const MarkLayout layout = *make_mark_layout(mask);
    const auto last = static_cast<ServerId>(layout.server_max());
    for (const std::uint32_t ours :
         {layout.server(1), layout.server(last), layout.reject(), layout.pass()}) {
      CHECK((ours & ~mask) == 0);
      CHECK(ours != 0);
      CHECK(layout.merge(0xa5a5a5a5, ours) == ((0xa5a5a5a5 & ~mask) | ours));
    }
    CHECK(layout.server(last) < layout.reject());
    CHECK(layout.reject() < layout.pass());
  }
  CHECK(MarkLayout{}.server(1) == 0x00100000);
  CHECK(MarkLayout{}.reject() == 0xffe00000);
  CHECK(MarkLayout{}.pass() == 0xfff00000);
}
