// What the names in criteria stand for in a configuration.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "nfsteer/policy.hpp"

namespace nfsteer {

// Looks names up: sets ("@office"), countries and their groups, schedules. The
// configuration outlives it.
class Names {
 public:
  explicit Names(const Config& config);

  // Why the name means nothing in a criterion of that field; with what was perhaps
  // meant, which takes longer.
  Result<void> check(const Field& field, std::string_view name, bool with_hint);

  // The criteria with what their names stand for, in the order of fields().
  // REQUIRES: check() of every name
  Match resolve(const Match& match);

 private:
  using CountryIds = Result<std::vector<std::uint16_t>>;

  std::vector<Value> resolve(const Field& field, const std::vector<Value>& values);
  void append(const Field& field, const std::string& name, std::vector<Value>& values);
  Result<void> check_country(std::string_view name);
  const CountryIds& countries(std::string_view name);

  const Config& config_;
  std::unordered_map<std::string_view, const SetConfig*> sets_;
  std::unordered_map<std::string_view, std::uint32_t> schedules_;  // index
  std::unordered_map<std::string, CountryIds> countries_;          // of the names so far
};

// The index-th of a list in a path: "[2]".
std::string element(std::size_t index);
// "did you mean `x`?", or all there are where they are few; or nothing.
std::string suggestion(std::string_view word, const std::vector<std::string_view>& known);

// Whether that may be the name of something in a configuration.
bool is_name(std::string_view name) noexcept;
// The problem with the name of a `what`; nullopt where there is none.
std::optional<Problem> check_name(const std::string& name, std::vector<std::string> path,
                                  const char* what);

}  // namespace nfsteer
