// The memo, beside what it replaces: 4,096 chains with a lock each.
#pragma once

#include <cmath>
#include <forward_list>
#include <mutex>
#include <random>
#include <vector>

#include "../measure.hpp"
#include "nfsteer/steering.hpp"

namespace nfsteer::bench {

inline constexpr std::size_t kMemoKeys = std::size_t{1} << 18;

// A hash table of linked chains, each under a lock of its own.
class LockedChains {
 public:
  void insert(const FiveTuple& tuple, const Decision& decision) {
    Chain& chain = chain_of(tuple);
    const std::lock_guard lock(chain.mutex);
    chain.entries.push_front({tuple, decision});
  }
  std::optional<Decision> find(const FiveTuple& tuple) {
    Chain& chain = chain_of(tuple);
    const std::lock_guard lock(chain.mutex);
    for (const auto& [known, decision] : chain.entries)
      if (known == tuple) return decision;
    return std::nullopt;
  }

 private:
  struct Chain {
    std::mutex mutex;
    std::forward_list<std::pair<FiveTuple, Decision>> entries;
  };
  Chain& chain_of(const FiveTuple& tuple) { return chains_[hash(tuple) % chains_.size()]; }

  std::vector<Chain> chains_{4096};
};

inline FiveTuple live_flow(std::uint32_t n) {
  return {Address::v4(0x0a000000 + n * 2654435761u % 0xffffff), Address::v4(0xcb007100 + n % 16),
          static_cast<std::uint16_t>(1024 + n % 60'000), 443, protocol::kTcp};
}

inline MemoKey key_of(const FiveTuple& tuple) {
  Flow flow;
  flow.tuple = tuple;
  return MemoKey(flow, {});
}

// Which of the flows are asked for: Zipf's law, exponent 1.
inline std::vector<FiveTuple> zipf_keys(std::uint32_t flows) {
  std::vector<double> upto(flows);
  double sum = 0;
  for (std::uint32_t n = 0; n < flows; ++n) upto[n] = sum += 1.0 / (n + 1);
  std::mt19937_64 random(4);
  std::uniform_real_distribution<double> anywhere(0, sum);
  std::vector<FiveTuple> keys;
  for (std::size_t i = 0; i < kMemoKeys; ++i) {
    const auto found = std::upper_bound(upto.begin(), upto.end(), anywhere(random));
    // Popular flows are anywhere in memory.
    const auto rank = static_cast<std::uint32_t>(found - upto.begin());
    keys.push_back(live_flow(static_cast<std::uint32_t>(rank * 2654435761ull % flows)));
  }
  return keys;
}

inline void bench_memo(std::uint32_t flows) {
  Cache<MemoKey, Remembered> memo(2 * flows, 300);
  LockedChains chains;
  for (std::uint32_t n = 0; n < flows; ++n) {
    const FiveTuple tuple = live_flow(n);
    Decision decision;
    decision.server = static_cast<ServerId>(1 + n % 4000);
    {
      const MemoKey key = key_of(tuple);
      memo.insert(key, hash(key), Remembered(decision), 0);
    }
    chains.insert(tuple, decision);
  }
  const auto keys = zipf_keys(flows);
  for (const FiveTuple& key : keys)  // as a worker would, after a miss
    if (const MemoKey compact = key_of(key); !memo.find(compact, hash(compact), 1))
      memo.insert(compact, hash(compact), {}, 1);
  std::vector<MemoKey> ready;
  for (const FiveTuple& key : keys) ready.push_back(key_of(key));
  const CacheCounts warm = memo.counts();
  const auto times = measure(
      keys.size(),
      [&] {
        std::uint64_t sum = 0;
        for (const MemoKey& key : ready)
          if (const Remembered* found = memo.find(key, hash(key), 1)) sum += found->server;
        return sum;
      },
      [&] {
        std::uint64_t sum = 0;
        for (const FiveTuple& key : keys) sum += chains.find(key)->server;
        return sum;
      });
  const std::string name = "memo/flows:" + std::to_string(flows);
  print_row(name.c_str(), times[0], "4,096 locked chains", times[1]);
  const CacheCounts counts = memo.counts();
  const auto hits = static_cast<double>(counts.hits - warm.hits);
  std::printf("%-24s %.2f %% hits\n", "",
              100 * hits / (hits + static_cast<double>(counts.misses - warm.misses)));
}

}  // namespace nfsteer::bench
