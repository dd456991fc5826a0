// The keys of what policies refer to: sets, schedules, countries.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "../geo/mmdb.hpp"
#include "nfsteer/config.hpp"
#include "rules_text.hpp"

using namespace nfsteer;
using testing::accepted;
using testing::Case;
using testing::check_all;
using testing::first_message;
using testing::TemporaryFolder;

namespace {

std::string set_lines(std::string_view lines) {
  return "[set.office]\n" + std::string(lines) + "\n";
}
std::string schedule_lines(std::string_view lines) {
  return "[schedule.night]\n" + std::string(lines) + "\n";
}
std::string window(std::string_view rest) {
  return schedule_lines("timezone = \"Europe/Zurich\"\nwindows = [{ " + std::string(rest) + " }]");
}
std::string except(std::string_view value) {
  return window("") + "except = " + std::string(value) + "\n";
}
std::string geoip_lines(std::string_view lines) {
  return "[geoip]\n" + std::string(lines) + "\n";
}
std::string country_groups(std::string_view value) {
  return geoip_lines("country = \"country.mmdb\"\ngroups = " + std::string(value));
}
std::string country(std::string_view name) {
  return country_groups("{ dach = [\"DE\", \"AT\", \"CH\"] }") +
         "[[policy]]\nname = \"p\"\naction = \"drop\"\nmatch = { scountry = " + std::string(name) +
         " }\n";
}

}  // namespace

TEST_CASE("keys of sets") {
  constexpr Case kCases[] = {
      {set_lines, "prefixes = \"192.0.2.0/24\"", ""},
      {set_lines, "prefixes = [\"192.0.2.0/24\", \"2001:db8::/32\", \"::1\"]", ""},
      {set_lines, "", "set.office needs one of `prefixes`, `files`"},
      {set_lines, "prefixes = []", "`prefixes` must have at least one value"},
      {set_lines, "prefixes = 10", "`prefixes` must be text"},
      {set_lines, "prefixes = [[\"::1\"]]", "`prefixes` must be text"},
      {set_lines, "prefixes = \"192.0.2.1/24\"", "the network is 192.0.2.0/24"},
      {set_lines, "prefixes = \"192.0.2.0/33\"", "prefix length"},
      {set_lines, "prefixes = \"office.example\"", "not a prefix"},
      {set_lines, "prefixes = \"!192.0.2.0/24\"", "a set has no exceptions"},
      {set_lines, "prefixes = [\"::1\", \"@office\"]", "a set has prefixes, and no other sets"},
      {set_lines, "prefix = \"::1\"", "unknown key `prefix` in set.office"},
      {set_lines, "files = 1", "`files` must be text"},
      {set_lines, "files = []", "`files` must have at least one value"},
      {set_lines, "files = \"missing\"", "missing: cannot open the file: No such file"},
  };
  check_all(kCases);
}

TEST_CASE("keys of schedules") {
  constexpr Case kCases[] = {
      {schedule_lines, "timezone = \"UTC\"\nwindows = [{}]", ""},
      {schedule_lines, "timezone = \"UTC\"", "schedule.night needs `windows`"},
      {schedule_lines, "windows = [{}]", "schedule.night needs `timezone`"},
      {schedule_lines, "timezone = 1\nwindows = [{}]", "`timezone` must be text"},
      {schedule_lines, "timezone = \"Europe/Zürich\"\nwindows = [{}]", "Europe/Z"},
      {schedule_lines, "timezone = \"\"\nwindows = [{}]", "time zone"},
      {schedule_lines, "timezone = \"../UTC\"\nwindows = [{}]", "../UTC"},
      {schedule_lines, "timezone = \"UTC\"\nwindows = []", "schedule `night` has no windows"},
      {schedule_lines, "timezone = \"UTC\"\nwindows = {}", "`windows` must be a list of tables"},
      {schedule_lines, "timezone = \"UTC\"\nwindows = [\"mon\"]", "must be a table"},
      {window, "", ""},
      {window, "days = \"mon-fri\", from = \"09:00\", to = \"17:00\"", ""},
      {window, "days = [\"fri-mon\", \"wed\"], from = \"22:00\", to = \"06:00\"", ""},
      {window, "from = \"00:00\", to = \"24:00\"", ""},
      {window, "from = \"09:00\", to = \"09:00\"", ""},  // until the day after
      {window, "days = []", "`days` must have at least one value"},
      {window, "days = \"monday\"", "`monday` is not a day"},
      {window, "days = [\"mon\", \"mon-\"]", "`mon-` is not a day"},
      {window, "days = 1", "`days` must be text"},
      {window, "from = \"9:00\"", "`9:00` is not a time of day"},
      {window, "from = \"09:60\"", "`09:60` is not a time of day"},
      {window, "from = 09:00:00", "`from` must be text"},
      {window, "from = \"24:00\"", "a window starts at 00:00 to 23:59"},
      {window, "to = \"24:01\"", "`24:01` is not a time of day"},
      {window, "to = \"00:00\"", "a window ends at 00:01 to 24:00"},
      {window, "until = \"17:00\"", "unknown key `until` in schedule.night.windows[0]"},
      {except, "2026-12-25", ""},
      {except, "[2026-12-25, \"2026-12-26\", { date = 2028-02-29 }, { date = \"2027-01-01\" }]",
       ""},
      {except, "[]", "`except` must have at least one value"},
      {except, "\"2027-02-29\"", "no calendar has the day 2027-02-29"},
      {except, "\"25.12.2026\"", "`25.12.2026` is not a date"},
      {except, "2026-12-25T00:00:00", "`except` must be a date such as 2026-12-25"},
      {except, "20261225", "`except` must be a date such as 2026-12-25"},
      {except, "{ date = 5 }", "`date` must be a date such as 2026-12-25"},
      {except, "{ date = { date = 2026-12-25 } }", "`date` must be a date such as 2026-12-25"},
      {except, "{}", "schedule.night.except needs `date`"},
      {except, "{ dates = 2026-12-25 }", "unknown key `dates`"},
  };
  check_all(kCases);
}

TEST_CASE("a schedule arrives in the Config") {
  using namespace std::chrono_literals;
  const Config config = accepted(schedule_lines(R"(timezone = "Europe/Zurich"
windows = [{ days = ["mon", "fri-sun"], from = "22:00", to = "06:00" }, {}]
except = [2026-12-25, "2026-12-26", { date = 2026-12-31 }])"));
  REQUIRE(config.schedules.size() == 1);
  const ScheduleConfig& night = config.schedules.front();
  CHECK(night.name == "night");
  CHECK(night.timezone == "Europe/Zurich");
  CHECK(night.windows == std::vector<Window>{{0b1110001, 22h, 6h}, {kEveryDay, 0h, 24h}});
  CHECK(night.except == std::vector<Date>{{2026, 12, 25}, {2026, 12, 26}, {2026, 12, 31}});
}

TEST_CASE("keys of [geoip], and countries that there are not") {
  const TemporaryFolder folder;
  folder.write("country.mmdb", testing::write_mmdb({{*parse_prefix("192.0.2.0/24"),
                                                     testing::mmdb::country("DE", "EU", true)}}));
  folder.write("empty.mmdb", "");
  folder.write("text.mmdb", std::string(100, 'x'));
  constexpr Case kCases[] = {
      {geoip_lines, "country = \"country.mmdb\"", ""},
      {geoip_lines, "", "geoip needs `country`"},
      {geoip_lines, "country = [\"country.mmdb\"]", "`country` must be text"},
      {geoip_lines, "country = \"\"", "`country` must be the name of a file"},
      {geoip_lines, "country = \"missing.mmdb\"", "No such file or directory"},
      {geoip_lines, "country = \"empty.mmdb\"", "the file is empty"},
      {geoip_lines, "country = \"text.mmdb\"", "not in MaxMind's format"},
      {geoip_lines, "country = \".\"", "not a regular one"},
      {geoip_lines, "country = \"/dev/zero\"", "not a regular one"},
      {geoip_lines, "countries = \"country.mmdb\"", "unknown key `countries` in geoip"},
      {country_groups, "{}", ""},
      {country_groups, "{ dach = [\"DE\", \"AT\", \"CH\"], us = \"US\", all = [\"us\", \"dach\"] }",
       ""},
      {country_groups, "[\"DE\"]", "`groups` must be a table of countries"},
      {country_groups, "{ dach = [] }", "`dach` must have at least one value"},
      {country_groups, "{ dach = [\"DE\", 43] }", "`dach` must be text"},
      {country_groups, "{ dach = [\"DE\", \"au\"] }", "`au`"},
      {country_groups, "{ near = [\"DE\", \"near\"] }", "contains itself"},
      {country_groups, "{ Dach = \"DE\" }", "not a name for a group of countries"},
      {country, "\"dach\"", ""},
      {country, "[\"EU\", \"!DE\", \"--\"]", ""},
      {country, "\"dahc\"", "dahc"},
  };
  check_all(kCases, folder / "rules.toml");
}

TEST_CASE("where the country database cannot be read, that is the one message") {
  CHECK(first_message(
            "[geoip]\ncountry = \"missing.mmdb\"\ngroups = { near = [\"DE\", \"nowhere\"] }\n"
            "[[policy]]\nname = \"p\"\naction = \"drop\"\n"
            "match = { scountry = \"near\", dcountry = \"!US\" }\n")
            .starts_with("country database missing.mmdb"));
}
