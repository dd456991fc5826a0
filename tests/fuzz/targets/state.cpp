// The state file: refused, or read as what is written, and read again, as the same.
#include "../fuzz.hpp"
#include "engine/state_file.hpp"

using namespace nfsteer;

FUZZ_TARGET(state) {
  const auto state = parse_engine_state(fuzz::text_of(input));
  FUZZ_CHECK(state || !state.error().message.empty());
  if (!state) return;
  const std::string written = to_text(*state);
  const auto again = parse_engine_state(written);
  FUZZ_CHECK(again && *again == *state);
  FUZZ_CHECK(to_text(*again) == written);
}
