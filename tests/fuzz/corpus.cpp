// Runs corpora as tests.
#include <filesystem>
#include <fstream>
#include <vector>

#include "fuzz.hpp"

// Sanitizers have it; called when they end the process.
extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());

namespace nfsteer::fuzz {
namespace {

std::string running;

void name_input() {
  std::fprintf(stderr, "while running %s\n", running.c_str());
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// In memory of just its size: what is read behind it is seen.
std::vector<std::byte> read(const std::filesystem::path& path) {
  std::vector<std::byte> bytes(std::filesystem::file_size(path));
  std::ifstream(path, std::ios::binary)
      .read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

}  // namespace

void run_corpus(const std::string& target, void (*run)(Bytes input)) {
  if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(name_input);
  const auto folder = std::filesystem::path(NFSTEER_SOURCE_DIR "/tests/fuzz/corpus") / target;
  const auto files = files_in(folder);
  REQUIRE(!files.empty());
  for (const auto& file : files) {
    running = file;
    INFO(running);
    run(read(file));
    CHECK(true);  // counts it
  }
}

}  // namespace nfsteer::fuzz
