#include <doctest/doctest.h>

#include <map>
#include <random>

#include "nfsteer/base/cache.hpp"
#include "nfsteer/policy.hpp"

using namespace nfsteer;

namespace {

TupleKey tuple(unsigned n) {
  return TupleKey({Address::v4(n), Address::v4(0x0a090909), static_cast<std::uint16_t>(n), 80, 17});
}

using TestCache = Cache<TupleKey, Decision>;

Decision to_server(ServerId id) {
  Decision decision;
  decision.action = Action::Steer;
  decision.server = id;
  return decision;
}

}  // namespace

TEST_CASE("cache: what was inserted is found, until its time or a flush") {
  TestCache cache(1024, 300);
  CHECK_FALSE(cache.find(tuple(1), hash(tuple(1)), 0));
  cache.insert(tuple(1), hash(tuple(1)), to_server(7), 1000);
  REQUIRE(cache.find(tuple(1), hash(tuple(1)), 1299));
  CHECK(cache.find(tuple(1), hash(tuple(1)), 1299)->server == 7);
  CHECK_FALSE(cache.find(tuple(2), hash(tuple(2)), 1000));
  CHECK_FALSE(cache.find(tuple(1), hash(tuple(1)), 1300));

  cache.insert(tuple(1), hash(tuple(1)), to_server(8), 1300);
  CHECK(cache.find(tuple(1), hash(tuple(1)), 1300)->server == 8);
  cache.forget_all();
  CHECK_FALSE(cache.find(tuple(1), hash(tuple(1)), 1300));
  CHECK(cache.counts().entries == 0);
  CHECK(cache.counts().hits == 3);
  CHECK(cache.counts().misses == 4);
}

TEST_CASE("cache: of no entries it holds nothing") {
  TestCache cache(0, 300);
  CHECK_FALSE(cache.is_on());
  cache.insert(tuple(1), 1, to_server(1), 0);
  CHECK_FALSE(cache.find(tuple(1), 1, 0));
  CHECK(cache.counts().misses == 0);
}

TEST_CASE("cache: equal hashes are not equal flows") {
  TestCache cache(64, 300);
  cache.insert(tuple(1), 42, to_server(1), 0);
  cache.insert(tuple(2), 42, to_server(2), 0);
  CHECK(cache.find(tuple(1), 42, 0)->server == 1);
  CHECK(cache.find(tuple(2), 42, 0)->server == 2);
  CHECK_FALSE(cache.find(tuple(3), 42, 0));
}

TEST_CASE("cache: a full set makes room, and says so") {
  TestCache cache(8, 300);
  for (unsigned i = 0; i < 20; ++i)
    cache.insert(tuple(i), 0, to_server(static_cast<ServerId>(i)), 0);
  CHECK(cache.counts().entries == 8);
  CHECK(cache.counts().evictions == 12);
  int kept = 0;
  for (unsigned i = 0; i < 20; ++i) kept += cache.find(tuple(i), 0, 0) ? 1 : 0;
  CHECK(kept == 8);
  // Expired entries give way before living ones.
  cache.insert(tuple(30), 0, to_server(30), 400);
  CHECK(cache.counts().evictions == 12);
}

TEST_CASE("cache: never a wrong answer, against a map that forgets nothing") {
  TestCache cache(256, 10);
  std::map<unsigned, std::pair<ServerId, std::uint32_t>> oracle;
  std::mt19937 random(5);
  std::uint32_t now = 0;
  for (int i = 0; i < 50'000; ++i) {
    if (random() % 100 == 0) ++now;
    const auto n = static_cast<unsigned>(random() % 600);
    const Decision* found = cache.find(tuple(n), hash(tuple(n)), now);
    if (found) {
      REQUIRE(oracle.contains(n));
      CHECK(found->server == oracle[n].first);
      CHECK(now - oracle[n].second < 10);
    } else {
      const auto id = static_cast<ServerId>(1 + random() % 1000);
      cache.insert(tuple(n), hash(tuple(n)), to_server(id), now);
      oracle[n] = {id, now};
    }
  }
  CHECK(cache.counts().hits > 5'000);
}
