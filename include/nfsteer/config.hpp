// Rules files: TOML text to a Config, with every mistake at its place.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "nfsteer/base/result.hpp"
#include "nfsteer/policy.hpp"

namespace nfsteer {

// One mistake in a rules file, or in a text file that it names.
struct Diagnostic {
  std::string file;
  unsigned line = 0;    // from 1; 0: the file as a whole
  unsigned column = 0;  // from 1, in characters
  unsigned width = 1;   // characters to underline
  std::string message;
  std::string remedy;          // such as: did you mean `weight`? May be empty
  std::string source;          // the source line, or of a long one the part around the place
  unsigned source_column = 1;  // of the first character of `source`
};

// "error: MESSAGE", " --> FILE:LINE:COLUMN", the source line and a caret under
// the place, then the remedy. Ends with a newline.
std::string render(const Diagnostic& diagnostic);

// All of them as load_config() returns them, and how many there are.
std::string render(const std::vector<Diagnostic>& mistakes);

// "300s", "2m": a number with one of the units ms, s, m, h and d.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// What becomes of the flows that a rules file has expectations of ([[expect]]).
enum class Expectations {
  Prove,  // they are decided; what is not as expected is a mistake
  Read,   // they may be wrong: for who asks why
};

using LoadResult = std::variant<Config, std::vector<Diagnostic>>;

// Reads and checks a rules file with the files that it names: the Config, or all
// mistakes in the order of the file, then those of the files that it names,
// kDiagnosticsMax at most and then one that counts the others. "-" is standard
// input. Needs no privilege.
LoadResult load_config(const std::string& path, Expectations expectations = Expectations::Prove);

// The same of a text. `file` is the name that the messages give; the names of
// other files are meant from the folder that it is in.
LoadResult parse_config(std::string_view text, const std::string& file,
                        Expectations expectations = Expectations::Prove);

// The files that a configuration was read from, by the paths under which they were
// opened: it can be read again from them, whatever has become of the files.
struct Sources {
  std::string path;  // of the rules file
  std::map<std::string, std::string> contents;
};
// As load_config(); `sources` gets what was read, also where there are mistakes.
LoadResult load_config(const std::string& path, Sources& sources);
// The same configuration again. It is not proved again: that its expectations held once
// is enough, and they may speak of another time of the day.
LoadResult load_config(const Sources& sources);

inline constexpr std::size_t kDiagnosticsMax = 20;
inline constexpr std::size_t kRulesFileBytesMax = 64u << 20;
// Of a file of routes or prefixes.
inline constexpr std::size_t kTextFileBytesMax = 256u << 20;
inline constexpr std::size_t kTextFileLinesMax = 10'000'000;

}  // namespace nfsteer
