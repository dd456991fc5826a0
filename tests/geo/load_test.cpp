#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "memory_file.hpp"
#include "mmdb.hpp"
#include "nfsteer/geo.hpp"

using namespace nfsteer;
using testing::MemoryFile;
using testing::write_mmdb;
using testing::mmdb::array;
using testing::mmdb::boolean;
using testing::mmdb::country;
using testing::mmdb::flat;
using testing::mmdb::map;
using testing::mmdb::number;
using testing::mmdb::text;

namespace {

const std::string kFolder = NFSTEER_SOURCE_DIR "/../shared/data/maxmind/";

testing::MmdbNetwork network(const char* prefix, std::string record) {
  return {parse_prefix(prefix).value(), std::move(record)};
}

std::string small_database(testing::MmdbOptions options = {}) {
  std::vector<testing::MmdbNetwork> networks = {network("192.0.2.0/24", country("DE", "EU", true)),
                                                network("192.0.2.64/26", country("CH", "EU")),
                                                network("198.51.100.0/24", flat("US"))};
  if (options.ip_version == 6) {
    networks.push_back(network("2001:db8::/32", country("FR", "EU", true)));
    networks.push_back(network("2001:db8:8000::/33", flat("JP")));
  }
  return write_mmdb(networks, options);
}

Result<std::shared_ptr<const Countries>> load(std::string_view content) {
  const MemoryFile file(content);
  return load_countries(file.path());
}

std::string code_of(const Countries& countries, const char* address) {
  return countries.records()[countries.find(parse_address(address).value())].code;
}

// "": it was loaded.
std::string refusal(const std::string& content) {
  const auto loaded = load(content);
  return loaded ? std::string() : loaded.error().message;
}

bool says(const std::string& message, const char* part) {
  return message.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("load: databases of both IP versions, of all sizes of record") {
  for (const unsigned version : {4u, 6u})
    for (const unsigned bits : {24u, 28u, 32u})
      for (const bool has_aliases : {false, true}) {
        CAPTURE(version);
        CAPTURE(bits);
        CAPTURE(has_aliases);
        const auto loaded = load(small_database({version, bits, has_aliases && version == 6, {}}));
        REQUIRE_MESSAGE(loaded.has_value(), loaded.error().message);
        const Countries& countries = **loaded;
        CHECK(code_of(countries, "192.0.2.1") == "DE");
        CHECK(code_of(countries, "192.0.2.64") == "CH");
        CHECK(code_of(countries, "192.0.2.127") == "CH");
        CHECK(code_of(countries, "192.0.2.128") == "DE");
        CHECK(code_of(countries, "198.51.100.255") == "US");
        CHECK(code_of(countries, "198.51.101.0") == "");
        CHECK(countries.records()[0] == Countries::Record{});
        // What leads to the IPv4 tree is no country's.
        for (const char* alias : {"2002:c000:0201::", "2001:0:c000:201::", "::192.0.2.1"})
          CHECK(code_of(countries, alias) == "");
        if (version == 4) continue;
        CHECK(code_of(countries, "2001:db8::1") == "FR");
        CHECK(code_of(countries, "2001:db8:8000::1") == "JP");
      }
}

TEST_CASE("load: a prefix around all IPv4 addresses is theirs too") {
  const auto loaded = load(write_mmdb({network("::/8", flat("DE")), network("::/0", flat("US"))}));
  REQUIRE(loaded.has_value());
  CHECK(code_of(**loaded, "192.0.2.1") == "DE");
  CHECK(code_of(**loaded, "::1") == "DE");
  CHECK(code_of(**loaded, "ff::1") == "DE");
  CHECK(code_of(**loaded, "8000::1") == "US");
}

TEST_CASE("load: what a record says") {
  const struct {
    const char* what;
    std::string record;
    Countries::Record want;
  } kCases[] = {
      {"GeoIP2", country("DE", "EU", true), {"DE", "EU", true}},
      {"GeoIP2, not in the Union", country("GB", "EU"), {"GB", "EU", false}},
      {"ip-location-db", flat("DE"), {"DE", "", false}},
      {"country is the code",
       map({{"continent", text("EU")}, {"country", text("DE")}}),
       {"DE", "EU", false}},
      {"country is a name",
       map({{"country", text("Germany")},
            {"country_code", text("DE")},
            {"continent", text("Europe")},
            {"continent_code", text("EU")}}),
       {"DE", "EU", false}},
      {"the map comes first",
       map({{"country", map({{"iso_code", text("DE")}})}, {"country_code", text("FR")}}),
       {"DE", "", false}},
      {"no country, but registered in one",
       map({{"registered_country",
             map({{"iso_code", text("DE")}, {"is_in_european_union", boolean(true)}})}}),
       {}},
      {"in the Union, says false",
       map({{"country",
             map({{"is_in_european_union", boolean(false)}, {"iso_code", text("DE")}})}}),
       {"DE", "", false}},
      {"in the Union, says a number",
       map({{"country", map({{"is_in_european_union", number(1)}, {"iso_code", text("DE")}})}}),
       {"DE", "", false}},
      {"a continent alone", map({{"continent", map({{"code", text("AS")}})}}), {"", "AS", false}},
      {"a proxy", flat("A1"), {"A1", "", false}},
      {"no code: None", flat("None"), {}},
      {"no code: -", flat("-"), {}},
      {"no code: lower case", flat("de"), {}},
      {"no code: empty", flat(""), {}},
      {"no code: a number", map({{"country_code", number(49)}}), {}},
      {"no map: text", text("DE"), {}},
      {"no map: array", array({text("DE")}), {}},
      {"an empty map", map({}), {}},
      {"behind all that is skipped",
       map({{"array", array({map({{"a", number(1)}}), array({}), boolean(true)})},
            {"long", text(std::string(300, 'x'))},
            {"longer", text(std::string(70'000, 'x'))},
            {"double", testing::mmdb::head(3, 8) + std::string(8, '\0')},
            {"huge", testing::mmdb::head(10, 16) + std::string(16, '\0')},
            {"float", testing::mmdb::head(15, 4) + std::string(4, '\0')},
            {"country_code", text("DE")}}),
       {"DE", "", false}},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.what);
    const auto loaded =
        load(write_mmdb({network("192.0.2.0/24", row.record), network("10.0.0.0/8", flat("ZZ"))}));
    REQUIRE_MESSAGE(loaded.has_value(), loaded.error().message);
    const Countries& countries = **loaded;
    CHECK((countries.records()[countries.find(parse_address("192.0.2.1").value())] == row.want));
  }
}

TEST_CASE("load: pointers to what another record has, of all four sizes") {
  static constexpr struct {
    std::size_t offset;  // of what is pointed to
    unsigned size;       // of the pointer, as the format has it: 0 to 3
    std::size_t base;    // the offset that a pointer of this size begins to count at
  } kCases[] = {{0, 0, 0},          {2047, 0, 0},          {2048, 1, 2048},
                {526'335, 1, 2048}, {526'336, 2, 526'336}, {600'000, 2, 526'336},
                {600'000, 3, 0}};
  for (const auto& row : kCases) {
    CAPTURE(row.offset);
    CAPTURE(row.size);
    const std::size_t value = row.offset - row.base;
    // The highest bits of the value are in the first byte, but for the largest size.
    const unsigned bytes = row.size + 1;
    std::string pointer = testing::mmdb::big_endian(value, bytes);
    const std::size_t high = row.size == 3 ? 0 : value >> 8 * bytes;
    pointer.insert(0, 1, static_cast<char>(0x20 | row.size << 3 | high));
    const std::string filler(row.offset, '\0');
    const auto loaded =
        load(write_mmdb({network("10.0.0.0/8", filler + map({{"iso_code", text("DE")}})),
                         network("192.0.2.0/24", map({{"country", pointer}}))}));
    REQUIRE_MESSAGE(loaded.has_value(), loaded.error().message);
    CHECK(code_of(**loaded, "192.0.2.1") == "DE");
  }
}

TEST_CASE("load: records nested deeper than any stack") {
  std::string nested;
  for (int i = 0; i < 3'000'000; ++i) nested += testing::mmdb::head(11, 1);
  const auto loaded = load(write_mmdb(
      {network("192.0.2.0/24", map({{"a", nested + text("x")}, {"country_code", text("DE")}}))}));
  REQUIRE_MESSAGE(loaded.has_value(), loaded.error().message);
  CHECK(code_of(**loaded, "192.0.2.1") == "DE");
}

TEST_CASE("load: what is no file with a database") {
  const MemoryFile large;
  REQUIRE(large.resize((std::size_t{512} << 20) + 1));
  const std::string folder = std::filesystem::temp_directory_path().string();
  const std::string fifo = folder + "/nfsteer-" + std::to_string(::getpid()) + ".fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const struct {
    std::string path;
    const char* error;
  } kCases[] = {
      {"/nonexistent/a.mmdb",
       "/nonexistent/a.mmdb: cannot open the file: No such file or directory"},
      {"", "No such file"},
      {folder, "not a regular one"},
      {"/dev/zero", "not a regular one"},
      {fifo, "not a regular one"},
      {"/dev/null", "not a regular one"},
      {large.path(), "over 512 MiB"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.path);
    const auto loaded = load_countries(row.path);
    const std::string message = loaded ? "loaded" : loaded.error().message;
    CHECK_MESSAGE(says(message, row.error), message);
    CHECK(says(message, ("country database " + row.path).c_str()));
  }
  std::filesystem::remove(fifo);
}

TEST_CASE("load: what is no database of countries") {
  const auto ipv = [](unsigned version) {
    return testing::mmdb::head(5, 2) + testing::mmdb::big_endian(version, 2);
  };
  const auto with = [](const char* key, std::string value) {
    return small_database({4, 24, false, {{key, std::move(value)}}});
  };
  const struct {
    const char* what;
    std::string content;
    const char* error;
  } kCases[] = {
      {"nothing", "", "the file is empty"},
      {"a text", "192.0.2.0/24 DE\n", "not in MaxMind's format"},
      {"the end alone", "\xab\xcd\xefMaxMind.com", "not in MaxMind's format"},
      {"no networks", write_mmdb({}), "no country is named"},
      {"no countries", write_mmdb({network("192.0.2.0/24", map({{"asn", number(64496)}}))}),
       "no country is named"},
      {"no codes", write_mmdb({network("192.0.2.0/24", flat("None"))}), "no country is named"},
      {"IP version 5", with("ip_version", ipv(5)), "not in MaxMind's format"},
      {"version 3 of the format",
       with("binary_format_major_version", testing::mmdb::head(5, 1) + "\x03"),
       "not in MaxMind's format"},
      {"more nodes than the file has bytes", with("node_count", number(20'000)),
       "not in MaxMind's format"},
      {"more nodes than 32 bits have bytes", with("node_count", number(715'827'883)),
       "more than 33554432 nodes"},
      {"no nodes", with("node_count", number(0)), "not in MaxMind's format"},
      {"a pointer to a pointer",
       write_mmdb({network("192.0.2.0/24", std::string("\x20\x02\x20\x00", 4))}),
       "its record at 0 cannot be read"},
      {"a pointer out of the file",
       write_mmdb({network("192.0.2.0/24", std::string("\x27\xff", 2))}), "cannot be read"},
      {"a map of 16 million pairs",
       write_mmdb({network("192.0.2.0/24", std::string("\xff\xff\xff\xff", 4))}), "cannot be read"},
      {"a text of 16 million bytes",
       write_mmdb({network("192.0.2.0/24", map({{"country", std::string("\x5f\xff\xff\xff")}}))}),
       "cannot be read"},
      {"a key that is no text",
       write_mmdb({network("192.0.2.0/24", testing::mmdb::head(7, 1) + number(1) + number(2))}),
       "cannot be read"},
      {"a type of the future", write_mmdb({network("192.0.2.0/24", std::string("\x01\x20", 2))}),
       "cannot be read"},
      {"an end marker", write_mmdb({network("192.0.2.0/24", testing::mmdb::head(13, 0))}),
       "cannot be read"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.what);
    const std::string message = refusal(row.content);
    CHECK_MESSAGE(says(message, row.error), message);
  }
}

TEST_CASE("load: metadata that would keep its reader busy for ever") {
  const auto pointer = [](std::size_t offset) {
    return "\x38" + testing::mmdb::big_endian(offset, 4);
  };
  const auto with = [](std::string a, std::string languages) {
    return refusal(
        small_database({4, 24, false, {{"a", std::move(a)}, {"languages", std::move(languages)}}}));
  };
  constexpr const char* kRefused = "its metadata cannot be read";

  // Behind the head of the map, the key "a", and the head of the list.
  constexpr std::size_t kFirst = 1 + 2 + 3;
  std::vector<std::string> ladder;  // from each list to the next, twice
  const std::size_t bytes = array({pointer(0), pointer(0)}).size();
  for (std::size_t i = 1; i <= 40; ++i)
    ladder.push_back(array({pointer(kFirst + i * bytes), pointer(kFirst + i * bytes)}));
  ladder.push_back(array({}));
  CHECK(says(with(array(ladder), array({pointer(kFirst)})), kRefused));
  CHECK(says(with(array(ladder), array({})), kRefused));
  CHECK(says(with(array({}), pointer(0)), kRefused));  // to itself

  std::string nested = text("x");
  for (int levels = 2; levels < 12; ++levels) {
    CHECK((with(nested, array({})) == "") == (levels <= 8));
    nested = array({nested});
  }
  // To a text, as of a description in two languages.
  CHECK(with(text("en"), array({pointer(3), text("de"), pointer(3)})) == "");
}

TEST_CASE("load: search trees that lead astray") {
  // Of one node, that has these two 24-bit records.
  const auto tree = [](std::uint64_t left, std::uint64_t right) {
    std::string content = write_mmdb({network("0.0.0.0/1", flat("DE"))}, {4, 24, false, {}});
    return content.replace(
        0, 6, testing::mmdb::big_endian(left, 3) + testing::mmdb::big_endian(right, 3));
  };
  CHECK(refusal(tree(17, 1)) == "");
  CHECK(says(refusal(tree(17, 0)), "leads outside of it"));  // to the root again
  CHECK(says(refusal(tree(17, 2)), "cannot be read"));       // between tree and data
  CHECK(says(refusal(tree(17, 16)), "cannot be read"));
  CHECK(says(refusal(tree(17, 0xffffff)), "leads outside of it"));

  // From each node to the next by both records: 2^32 ways through 32 nodes.
  std::string ladder = write_mmdb({network("0.0.0.0/32", flat("DE"))}, {4, 24, false, {}});
  std::string circle = ladder;
  for (std::size_t i = 0; i < 31; ++i) {
    const auto next = testing::mmdb::big_endian(i + 1, 3);
    ladder.replace(i * 6, 6, next + next);
  }
  CHECK(says(refusal(ladder), "does not end"));
  // From the tenth node back to the third.
  circle.replace(9 * 6, 3, testing::mmdb::big_endian(2, 3));
  CHECK(says(refusal(circle), "does not end"));
  // From the last node of one branch, the 32nd, to the last of the other.
  std::string deep = write_mmdb(
      {network("0.0.0.0/32", flat("DE")), network("128.0.0.0/32", flat("US"))}, {4, 24, false, {}});
  deep.replace(31 * 6, 3, testing::mmdb::big_endian(62, 3));
  CHECK(says(refusal(deep), "does not end"));
}

TEST_CASE("load: more countries than have room") {
  const auto many = [](unsigned count) {
    std::vector<testing::MmdbNetwork> networks;
    // 26 * 36 codes, as many continents.
    const auto code = [](unsigned i) {
      const unsigned second = i / 26 % 36;
      return std::string{static_cast<char>('A' + i % 26),
                         static_cast<char>(second < 26 ? 'A' + second : '0' + second - 26)};
    };
    for (unsigned i = 0; i < count; ++i)
      networks.push_back({{Address::v4(i << 8), 24}, country(code(i), code(i / (26 * 36)))});
    return write_mmdb(networks, {4, 32, false, {}});
  };
  CHECK(load(many(65'534)).value()->records().size() == 65'535);  // and the unknown
  CHECK(says(refusal(many(65'535)), "more than 65535 countries"));
}

TEST_CASE("load: cut anywhere, or with any byte changed") {
  const std::string whole = small_database({6, 28, true, {}});
  const MemoryFile file;
  // What is accepted must be usable; nothing may be read outside of the file.
  const auto try_it = [&file](std::string_view content) {
    REQUIRE(file.write(content));
    const auto loaded = load_countries(file.path());
    if (loaded) return (*loaded)->find(Address::v4(0xc0000201)) < (*loaded)->records().size();
    return loaded.error().message.size() > file.path().size();
  };
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK(try_it(std::string_view(whole).substr(0, length)));
  }
  std::mt19937 random(6);
  for (int i = 0; i < 3000; ++i) {
    std::string changed = whole;
    for (std::size_t j = random() % 3; j < 3; ++j)
      changed[random() % changed.size()] = static_cast<char>(random());
    CAPTURE(i);
    CHECK(try_it(changed));
  }
  for (int i = 0; i < 300; ++i) {
    std::string noise(random() % 3000, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    CHECK(says(refusal(noise), "country database"));
  }
}

TEST_CASE("load: MaxMind's damaged databases") {
  static constexpr struct {
    const char* name;
    const char* error;
  } kCases[] = {
      {"bad-corrupt-search-tree.mmdb", "no country is named"},
      {"bad-deep-nesting.mmdb", "no country is named"},
      {"bad-offset-integer-overflow.mmdb", "not in MaxMind's format"},
      {"bad-oversized-map.mmdb", "its record at 0 cannot be read"},
  };
  for (const auto& row : kCases) {
    CAPTURE(row.name);
    if (!std::filesystem::exists(kFolder + row.name)) {
      MESSAGE("SKIPPED: there is no ", kFolder + row.name);
      return;
    }
    const auto loaded = load_countries(kFolder + row.name);
    REQUIRE_FALSE(loaded.has_value());
    CHECK_MESSAGE(says(loaded.error().message, row.error), loaded.error().message);
  }
}

TEST_CASE("load: MaxMind's test databases, whole and cut") {
  for (const char* name : {"GeoIP2-Country-Test.mmdb", "GeoLite2-Country-Test.mmdb"}) {
    CAPTURE(name);
    if (!std::filesystem::exists(kFolder + name)) {
      MESSAGE("SKIPPED: there is no ", kFolder + name);
      return;
    }
    const auto loaded = load_countries(kFolder + name);
    REQUIRE_MESSAGE(loaded.has_value(), loaded.error().message);
    const Countries& countries = **loaded;
    // In Great Britain, registered in France.
    const auto id = countries.find(parse_address("2.125.160.216").value());
    CHECK((countries.records()[id] == Countries::Record{"GB", "EU", false}));
    const auto contains = [&](const char* group) {
      const auto ids = countries.resolve(group, {}).value();
      return std::find(ids.begin(), ids.end(), id) != ids.end();
    };
    CHECK(contains("GB"));
    CHECK(contains("continent:EU"));
    CHECK_FALSE(contains("EU"));
    CHECK_FALSE(contains("FR"));

    std::ifstream file(kFolder + name, std::ios::binary);
    const std::string whole(std::istreambuf_iterator<char>(file), {});
    for (std::size_t length = 0; length < whole.size(); length += 101)
      CHECK(says(refusal(whole.substr(0, length)), "country database"));
  }
}
