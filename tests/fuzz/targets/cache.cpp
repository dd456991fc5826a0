// The cache, used as workers use it, against a map that forgets nothing: never a
// wrong answer nor one out of time, and it counts what was done.
#include "nfsteer/base/cache.hpp"

#include <unordered_map>

#include "../fuzz.hpp"

using namespace nfsteer;
using fuzz::Input;

namespace {

struct Kept {
  std::uint32_t value = 0, inserted_s = 0;
};

// Few bits that tell sets, homes and tags apart: many keys are in each other's way.
std::uint64_t hash_of(std::uint16_t key) {
  return std::uint64_t{key} % 4 | std::uint64_t{key} / 4 % 8 << 45 |
         std::uint64_t{key} / 32 % 4 << 49;
}

}  // namespace

FUZZ_TARGET(cache) {
  constexpr std::uint32_t kSizes[] = {0, 1, 8, 9, 64, 100}, kTimeouts[] = {0, 1, 10, 0xffff'ffff};
  Input in(input);
  const std::uint32_t entries = in.one_of(kSizes), timeout_s = in.one_of(kTimeouts);
  std::uint32_t now_s = in.u32(), inserted = 0;
  Cache<std::uint16_t, std::uint32_t> cache(entries, timeout_s);
  FUZZ_CHECK(cache.is_on() == (entries != 0));
  std::unordered_map<std::uint16_t, Kept> kept;
  CacheCounts want;
  while (!in.is_empty()) {
    const auto step = in.number<std::uint16_t>();
    const auto key = static_cast<std::uint16_t>(step % 512);
    switch (step / 512 % 16) {
      case 0:
        cache.forget_all();
        kept.clear();
        FUZZ_CHECK(cache.counts().entries == 0);
        break;
      case 1:
        now_s += step / 8192u;
        break;
      default:
        if (const std::uint32_t* found = cache.find(key, hash_of(key), now_s)) {
          FUZZ_CHECK(kept.contains(key) && kept[key].value == *found);
          FUZZ_CHECK(now_s - kept[key].inserted_s < timeout_s);
          ++want.hits;
        } else {
          cache.insert(key, hash_of(key), ++inserted, now_s);
          kept[key] = {inserted, now_s};
          ++want.misses;
          const std::uint32_t* again = cache.find(key, hash_of(key), now_s);
          FUZZ_CHECK((again != nullptr) == (cache.is_on() && timeout_s != 0));
          FUZZ_CHECK(!again || *again == inserted);
          ++(again ? want.hits : want.misses);
        }
    }
  }
  const CacheCounts counts = cache.counts();
  if (cache.is_on()) FUZZ_CHECK(counts.hits == want.hits && counts.misses == want.misses);
  FUZZ_CHECK(counts.entries <= 128);
}
