// From text files to a snapshot: 100,000 policies and 1,000,000 routes.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "../../rule/rule_sets.hpp"
#include "../measure.hpp"
#include "nfsteer/base/text.hpp"
#include "nfsteer/config.hpp"
#include "nfsteer/policy.hpp"

namespace nfsteer::bench {

// A folder of our own, which goes with it.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/nfsteer-bench-XXXXXX";
    if (!::mkdtemp(name)) std::abort();
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const char* file) const { return path_ / file; }

 private:
  std::filesystem::path path_;
};

inline std::string text_of(const Criterion& criterion) {
  const Value& value = criterion.any.front();
  if (const auto* prefix = std::get_if<Prefix>(&value)) return '"' + to_string(*prefix) + '"';
  const auto& interval = std::get<Interval>(value);
  if (interval.first == interval.last) return format("{}", interval.first);
  return format("\"{}-{}\"", interval.first, interval.last);
}

inline std::size_t write_policies(const std::filesystem::path& file,
                                  const std::vector<Match>& rules) {
  std::ofstream out(file);
  for (int i = 0; i < 16; ++i)
    out << format(
        "[group.g{0}]\nservers = [{{ name = \"a\", address = \"10.2.{0}.1\" }}, {{ name = \"b\", "
        "address = \"2001:db8::{0}\" }}]\n",
        i);
  out << "[table.internet]\nfiles = [\"routes.txt\"]\n";
  for (std::size_t i = 0; i < rules.size(); ++i) {
    out << format("[[policy]]\nname = \"p{}\"\nmatch = {{ ", i);
    bool first = true;
    for (const Criterion& criterion : rules[i]) {
      out << format("{}{} = {}", first ? "" : ", ", criterion.field->name, text_of(criterion));
      first = false;
    }
    out << format(" }}\ngroup = \"g{}\"\n", i % 16);
  }
  return static_cast<std::size_t>(out.tellp());
}

// The internet's routes, and as many more specific ones as make a million.
inline std::size_t write_routes(const std::filesystem::path& file,
                                const std::vector<Prefix>& prefixes, std::size_t count) {
  std::ofstream out(file);
  for (std::size_t i = 0; i < count; ++i) {
    Prefix prefix = prefixes[i % prefixes.size()];
    if (i >= prefixes.size() && prefix.length < bits(prefix.address.family)) ++prefix.length;
    out << format("{} g{} {}\n", to_string(prefix), i % 16, i / prefixes.size());
  }
  return static_cast<std::size_t>(out.tellp());
}

inline void bench_compile(const std::vector<Match>& rules, const std::vector<Prefix>& prefixes) {
  constexpr std::size_t kRoutes = 1'000'000;
  const Folder folder;
  const std::size_t policy_bytes = write_policies(folder / "rules.toml", rules);
  const std::size_t route_bytes = write_routes(folder / "routes.txt", prefixes, kRoutes);
  Times parsing, compiling, whole;
  for (int round = 0; round < 3; ++round) {
    std::optional<LoadResult> loaded;
    const double parsed = time_ns(1, [&] {
      loaded = load_config((folder / "rules.toml").string());
      return loaded->index();
    });
    const auto* mistakes = std::get_if<std::vector<Diagnostic>>(&*loaded);
    if (mistakes) {
      std::printf("%s", render(mistakes->front()).c_str());
      std::abort();
    }
    GroupStates states;
    std::unique_ptr<const Snapshot> snapshot;
    const double compiled = time_ns(1, [&] {
      snapshot = compile(std::get<Config>(*loaded), states);
      return snapshot.get();
    });
    parsing.add(parsed / 1e6);
    compiling.add(compiled / 1e6);
    whole.add((parsed + compiled) / 1e6);
  }
  std::printf(
      "%-24s %.0f ms, of which reading %.1f MB of policies and %.1f MB of routes %.0f ms, "
      "compiling "
      "%.0f ms; %zu policies, %zu routes, median of 3\n",
      "compile", whole.median(), static_cast<double>(policy_bytes) / 1e6,
      static_cast<double>(route_bytes) / 1e6, parsing.median(), compiling.median(), rules.size(),
      kRoutes);
}

}  // namespace nfsteer::bench
