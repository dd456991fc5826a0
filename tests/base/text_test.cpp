#include "nfsteer/base/text.hpp"

#include <doctest/doctest.h>

using namespace nfsteer;

TEST_CASE("numbers: the whole text, or nothing") {
  static constexpr struct {
    std::string_view text;
    std::optional<std::uint64_t> want;
  } kCases[] = {
      {"0", 0},
      {"65535", 65535},
      {"0xfff00000", 0xfff00000},
      {"0x", {}},
      {"", {}},
      {"-1", {}},
      {"+1", {}},
      {" 1", {}},
      {"1 ", {}},
      {"1e3", {}},
      {"18446744073709551615", 18446744073709551615u},
      {"18446744073709551616", {}},
      {"0x1g", {}},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.text);
    CHECK(parse_number(row.text) == row.want);
  }
}

TEST_CASE("durations, in the largest unit that divides them") {
  using namespace std::chrono_literals;
  static constexpr struct {
    std::chrono::milliseconds duration;
    std::string_view want;
  } kCases[] = {
      {0ms, "0ms"}, {1ms, "1ms"},   {1'500ms, "1500ms"}, {2s, "2s"},  {90s, "90s"},
      {60s, "1m"},  {90min, "90m"}, {1h, "1h"},          {24h, "1d"}, {36h, "36h"},
  };
  for (const auto& row : kCases) CHECK(duration_text(row.duration) == row.want);
}

TEST_CASE("nearest: what was meant, and nothing far") {
  static constexpr std::string_view kNames[] = {"weight", "address", "name", "port"};
  static constexpr struct {
    std::string_view word;
    std::optional<std::string_view> want;
  } kCases[] = {
      {"wieght", "weight"},  // neighbours swapped: one edit
      {"weigth", "weight"},
      {"adress", "address"},
      {"nam", "name"},
      {"prt", "port"},
      {"zone", {}},
      {"algorithm", {}},
      {"x", {}},
      {"", {}},
      {"weightweightweight", {}},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.word);
    const auto got = nearest(row.word, kNames);
    REQUIRE(got.has_value() == row.want.has_value());
    if (row.want) CHECK(*got == *row.want);
  }
  CHECK_FALSE(nearest(std::string(1'000'000, 'a'), kNames));
}

TEST_CASE("printable: nothing that moves a terminal, and an end") {
  CHECK(printable("plain") == "plain");
  CHECK(printable("a\x1b[2Jb\n") == "a\\x1b[2Jb\\x0a");
  CHECK(printable("abcdef", 3) == "abc...");
}
