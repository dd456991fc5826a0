// Longest-prefix match against a scan of all prefixes, of both families, searched
// by halving and by the trie.
#include "nfsteer/base/lpm.hpp"

#include <vector>

#include "../fuzz.hpp"

using namespace nfsteer;
using fuzz::Input;

namespace {

template <typename Key>
constexpr unsigned kBits = sizeof(Key) * 8;
template <typename Key>
using Entry = typename Lpm<Key>::Entry;

template <typename Key>
Key host_bits(unsigned length) {
  return length == kBits<Key> ? Key{0} : static_cast<Key>(static_cast<Key>(~Key{0}) >> length);
}

template <typename Key>
std::uint32_t scan(const std::vector<Entry<Key>>& entries, Key wanted) {
  const Entry<Key>* best = nullptr;
  for (const Entry<Key>& entry : entries)
    if (((wanted ^ entry.first) & ~host_bits<Key>(entry.length)) == 0 &&
        (!best || entry.length >= best->length))
      best = &entry;
  return best ? best->value : Lpm<Key>::kNone;
}

// A key of few bytes that are not zero, or around one that is there.
template <typename Key>
Key read_key(Input& in, const std::vector<Entry<Key>>& entries) {
  const std::uint8_t kind = in.u8();
  if (kind < 128 && !entries.empty())
    return static_cast<Key>(in.one_of(entries).first ^ Key{1} << kind % kBits<Key>);
  Key key = 0;
  for (int i = 0; i < 1 + kind % 4; ++i) {
    const unsigned place = in.below(sizeof(Key)) * 8;
    key |= static_cast<Key>(Key{in.u8()} << place);
  }
  return kind % 8 == 7 ? static_cast<Key>(~key) : key;
}

template <typename Key>
void sort(std::vector<Entry<Key>>& entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.length < b.length;
  });
}

// More prefixes than are searched by halving, apart from each other.
template <typename Key>
std::vector<Entry<Key>> filler() {
  std::vector<Entry<Key>> made;
  for (std::uint32_t i = 0; i < 70; ++i)
    made.push_back({Key{0xfe00'0000 | i << 13} << (kBits<Key> - 32), 24, 1000 + i});
  return made;
}

template <typename Key>
void run(Input& in) {
  constexpr std::size_t kEntriesMax = 80;
  auto entries = in.flag() ? filler<Key>() : std::vector<Entry<Key>>();
  const std::size_t wanted = entries.size() + in.below(kEntriesMax);
  std::vector<Key> keys = {0, static_cast<Key>(~Key{0})};
  while (!in.is_empty() && entries.size() < wanted) {
    const auto length = static_cast<std::uint8_t>(in.below(kBits<Key> + 1));
    const Key first = read_key<Key>(in, entries) & ~host_bits<Key>(length);
    const Key last = first | host_bits<Key>(length);
    entries.push_back({first, length, in.u8() % 5u});
    keys.insert(keys.end(), {first, static_cast<Key>(first - 1), last, static_cast<Key>(last + 1)});
  }
  while (!in.is_empty() && keys.size() < 5 * kEntriesMax)
    keys.push_back(read_key<Key>(in, entries));
  sort<Key>(entries);
  const Lpm<Key> lpm(entries);
  for (const Key key : keys) FUZZ_CHECK(lpm.find(key) == scan<Key>(entries, key));
}

}  // namespace

FUZZ_TARGET(lpm) {
  Input in(input);
  if (in.flag())
    run<std::uint32_t>(in);
  else
    run<Key128>(in);
}
