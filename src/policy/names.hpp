// What the names in criteria stand for in a configuration.
#pragma once

#include <string_view>
#include <unordered_map>

#include "nfsteer/policy.hpp"

namespace nfsteer {

// Looks names up: sets ("@office"), countries and their groups, schedules. The
// configuration outlives it.
class Names {
 public:
  explicit Names(const Config& config);

  // Why the name means nothing in a criterion of that field; with what was perhaps
  // meant, which takes longer.
  Result<void> check(const Field& field, std::string_view name, bool with_hint) const;

  // The criteria with what their names stand for, in the order of fields().
  // REQUIRES: check() of every name
  Match resolve(const Match& match) const;

 private:
  std::vector<Value> resolve(const Field& field, const std::vector<Value>& values) const;
  void append(const Field& field, const std::string& name, std::vector<Value>& values) const;
  Result<void> check_country(std::string_view name) const;

  const Config& config_;
  std::unordered_map<std::string_view, const SetConfig*> sets_;
  std::unordered_map<std::string_view, std::uint32_t> schedules_;  // index
};

// "did you mean `x`?", or all there are where they are few; or nothing.
std::string suggestion(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace nfsteer
