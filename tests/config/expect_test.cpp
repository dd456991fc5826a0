// When expectations are proved. What they say is in tests/check/expect*.toml.
#include <doctest/doctest.h>

#include <string>
#include <variant>

#include "nfsteer/config.hpp"
#include "rules_text.hpp"

using namespace nfsteer;
using testing::TemporaryFolder;

namespace {

std::string expecting(const char* action) {
  return "[[policy]]\nname = \"no\"\naction = \"drop\"\n"
         "[[expect]]\nflow = \"tcp 192.0.2.7:1 10.9.9.9:80\"\naction = \"" +
         std::string(action) + "\"\n";
}

bool is_accepted(const LoadResult& loaded) {
  return std::holds_alternative<Config>(loaded);
}

}  // namespace

TEST_CASE("expectations are proved whenever a file is read, but not when it is read again") {
  const TemporaryFolder folder;
  folder.write("good.toml", expecting("drop"));
  folder.write("bad.toml", expecting("accept"));
  const std::string good = folder / "good.toml", bad = folder / "bad.toml";
  Sources sources;
  CHECK(is_accepted(load_config(good)));
  CHECK(is_accepted(load_config(good, sources)));
  CHECK(is_accepted(load_config(sources)));

  CHECK(!is_accepted(load_config(bad)));
  CHECK(!is_accepted(load_config(bad, sources)));
  CHECK(is_accepted(load_config(sources)));
  CHECK(is_accepted(load_config(bad, Expectations::Read)));
}
