// What fuzz targets are made with. A target is one file in targets/:
//
//   FUZZ_TARGET(packet) {
//     Flow flow;
//     parse_packet(input, flow);
//     FUZZ_CHECK(...);
//   }
//
// `input` is a std::span<const std::byte> that ends where its memory ends. With
// NFSTEER_FUZZER the file becomes a libFuzzer target, else a test case that runs
// each file of corpus/packet once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

#ifndef NFSTEER_FUZZER
#include <doctest/doctest.h>
#endif

namespace nfsteer::fuzz {

using Bytes = std::span<const std::byte>;

inline std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Ends the process, as sanitizers do.
[[noreturn]] inline void die(const char* file, int line, const char* claim) {
  std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, claim);
  std::abort();
}

// Reads values off the front of the input; behind its end all are zero. So bytes
// become the steps of a test, and a change of few of them changes few steps.
class Input {
 public:
  explicit Input(Bytes bytes) : rest_(bytes) {}

  bool is_empty() const noexcept { return rest_.empty(); }

  template <typename Number>
  Number number() noexcept {
    Number value = 0;
    for (const std::byte byte : take(sizeof(Number)))
      value = static_cast<Number>(static_cast<std::uint64_t>(value) << 8 |
                                  std::to_integer<std::uint64_t>(byte));
    return value;
  }
  std::uint8_t u8() noexcept { return number<std::uint8_t>(); }
  std::uint32_t u32() noexcept { return number<std::uint32_t>(); }
  std::uint64_t u64() noexcept { return number<std::uint64_t>(); }
  bool flag() noexcept { return (u8() & 1) != 0; }
  // One of the numbers from 0. REQUIRES: 0 < end
  std::uint32_t below(std::uint32_t end) noexcept {
    return (end <= 256 ? u8() : end <= 65'536 ? number<std::uint16_t>() : u32()) % end;
  }
  template <typename List>
  const auto& one_of(const List& list) noexcept {
    return *std::next(std::begin(list), below(static_cast<std::uint32_t>(std::size(list))));
  }
  // So many bytes, or what is left.
  Bytes take(std::size_t count) noexcept {
    const Bytes taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  // Bytes behind their length, of 0 to 65,535.
  Bytes block() noexcept { return take(number<std::uint16_t>()); }
  Bytes rest() noexcept { return take(rest_.size()); }

 private:
  Bytes rest_;
};

#ifndef NFSTEER_FUZZER
// Runs each file of the target's corpus.
void run_corpus(const std::string& target, void (*run)(Bytes input));
#endif

}  // namespace nfsteer::fuzz

#define FUZZ_CHECK(claim) \
  if (!(claim)) nfsteer::fuzz::die(__FILE__, __LINE__, #claim)

#ifdef NFSTEER_FUZZER
#define FUZZ_TARGET(name)                                                             \
  static void run_##name(nfsteer::fuzz::Bytes input);                                 \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
    run_##name({reinterpret_cast<const std::byte*>(data), size});                     \
    return 0;                                                                         \
  }                                                                                   \
  static void run_##name([[maybe_unused]] nfsteer::fuzz::Bytes input)
#else
#define FUZZ_TARGET(name)                             \
  static void run_##name(nfsteer::fuzz::Bytes input); \
  TEST_CASE("corpus: " #name) {                       \
    nfsteer::fuzz::run_corpus(#name, run_##name);     \
  }                                                   \
  static void run_##name([[maybe_unused]] nfsteer::fuzz::Bytes input)
#endif
