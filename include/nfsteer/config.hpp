// Rules files: TOML text to a Config, with every mistake at its place.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

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

using LoadResult = std::variant<Config, std::vector<Diagnostic>>;

// Reads and checks a rules file with the files that it names: the Config, or all
// mistakes in the order of the file, then those of the files that it names,
// kDiagnosticsMax at most and then one that counts the others. "-" is standard
// input. Needs no privilege. Control thread.
LoadResult load_config(const std::string& path);

// The same of a text. `file` is the name that the messages give; the names of
// other files are meant from the folder that it is in.
LoadResult parse_config(std::string_view text, const std::string& file);

inline constexpr std::size_t kDiagnosticsMax = 20;
inline constexpr std::size_t kRulesFileBytesMax = 64u << 20;
// Of a file of routes or prefixes.
inline constexpr std::size_t kTextFileBytesMax = 256u << 20;
inline constexpr std::size_t kTextFileLinesMax = 10'000'000;

}  // namespace nfsteer
