// Where the text of a configuration comes from.
#pragma once

#include <cstddef>
#include <string>

#include "nfsteer/base/result.hpp"
#include "nfsteer/config.hpp"

namespace nfsteer {

// The files of a configuration, from the disk or as they were read before.
class Files {
 public:
  // From the disk; `kept`, where it is not null, gets what is read.
  explicit Files(Sources* kept) : kept_(kept) {}
  // Those alone.
  explicit Files(const Sources& sources) : sources_(&sources) {}

  // The rules file, which may be a pipe; "-" is standard input.
  Result<std::string> read_rules(const std::string& path);
  // Another one, as read_regular_file().
  Result<std::string> read(const std::string& path, std::size_t bytes_max);

 private:
  Result<std::string> keep(const std::string& path, Result<std::string> text);
  Result<std::string> find(const std::string& path) const;

  Sources* kept_ = nullptr;
  const Sources* sources_ = nullptr;
};

}  // namespace nfsteer
