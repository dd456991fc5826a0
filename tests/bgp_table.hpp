// The routes of the whole internet, of the folder with data that lies beside the
// project.
#pragma once

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nfsteer/base/address.hpp"

namespace nfsteer::testing {

inline constexpr const char* kBgpTable = "../shared/data/bgp-prefixes.txt.gz";

// All prefixes of the table, sorted; empty where there is no such file.
// `project`: the project's folder.
inline std::vector<Prefix> read_bgp_table(const std::string& project) {
  const std::string command = "gzip -dc '" + project + "/" + kBgpTable + "' 2>/dev/null";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::vector<Prefix> prefixes;
  std::array<char, 64> line{};
  while (pipe && std::fgets(line.data(), line.size(), pipe.get())) {
    const std::string_view text(line.data());
    prefixes.push_back(parse_prefix(text.substr(0, text.find_first_of("\r\n"))).value());
  }
  std::sort(prefixes.begin(), prefixes.end());
  return prefixes;
}

}  // namespace nfsteer::testing
