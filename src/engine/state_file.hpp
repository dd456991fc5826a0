// What outlives an engine, and a restart: what people set, and how servers were.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "nfsteer/base/result.hpp"
#include "nfsteer/steering.hpp"

namespace nfsteer {

struct EngineState {
  Overrides overrides;
  std::map<std::string, bool> checks;  // by what is checked: whether it was up

  friend bool operator==(const EngineState&, const EngineState&) = default;
};

// As a JSON object, whose schema has a number; and back. The error says what is not such
// an object, or that it is of another version.
std::string to_text(const EngineState& state);
Result<EngineState> parse_engine_state(std::string_view text);

// The state as a file of a directory. The control thread's.
class StateFile {
 public:
  explicit StateFile(const std::string& directory) : path_(directory + "/state.json") {}

  // The state of the last run; without a file an empty one. The error is for the log:
  // such a file is left alone until the next save().
  Result<EngineState> load() const;
  // Replaces the file as a whole. Makes the directory, if only its last part is missing.
  Result<void> save(std::string_view text) const;

 private:
  std::string path_;
};

}  // namespace nfsteer
