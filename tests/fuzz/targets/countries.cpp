// A country database of any bytes: refused, or read so that every address has one of
// its records, and every name one of its meanings.
#include "../fuzz.hpp"
#include "nfsteer/geo.hpp"

using namespace nfsteer;

FUZZ_TARGET(countries) {
  const auto loaded = read_countries(fuzz::text_of(input));
  if (!loaded) {
    FUZZ_CHECK(!loaded.error().message.empty());
    return;
  }
  const Countries& countries = **loaded;
  FUZZ_CHECK(!countries.records().empty() && countries.records()[0] == Countries::Record{});
  // Around the ends, and where IPv4 lies in IPv6.
  for (const std::uint64_t low : {0ull, 1ull, 0x8000'0000ull, 0xffff'ffffull, ~0ull})
    for (const std::uint64_t high :
         {0ull, 0x2001'0db8'0000'0000ull, 0x2002'0000'0000'0000ull, ~0ull})
      FUZZ_CHECK(countries.find(Address::v6(high, low)) < countries.records().size());
  for (std::uint32_t first = 0; first < 256; ++first)
    FUZZ_CHECK(countries.find(Address::v4(first << 24 | 1)) < countries.records().size());
  for (const char* name : {"DE", "EU", "UK", "--", "continent:EU", "near"})
    if (const auto ids = countries.resolve(name, {{"near", {"DE", "EU", "--"}}}))
      for (const std::uint16_t id : *ids) FUZZ_CHECK(id < countries.records().size());
}
