#include "nfsteer/base/qsbr.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

using namespace nfsteer;

namespace {

// Tells how many of its kind live, and whether it is whole.
struct Value {
  explicit Value(std::uint64_t n, std::atomic<int>& alive) : living(alive) {
    words.fill(n);
    ++living;
  }
  ~Value() {
    words.fill(0);
    --living;
  }
  bool is_whole() const {
    for (const std::uint64_t word : words)
      if (word == 0 || word != words[0]) return false;
    return true;
  }

  std::array<std::uint64_t, 64> words{};
  std::atomic<int>& living;
};

}  // namespace

TEST_CASE("qsbr: what was replaced lives as long as a reader may look at it") {
  std::atomic<int> alive{0};
  {
    Qsbr<Value> source(std::make_unique<Value>(1, alive), 2);
    auto one = source.reader(0), other = source.reader(1);
    const Value& seen = one.enter();
    source.publish(std::make_unique<Value>(2, alive));
    CHECK(seen.words[0] == 1);
    CHECK(other.enter().words[0] == 2);
    CHECK(source.reclaim() == 1);
    CHECK(alive == 2);
    // A reader that holds a newer value keeps no older one.
    one.leave();
    CHECK(source.reclaim() == 0);
    CHECK(alive == 1);
    source.publish(std::make_unique<Value>(3, alive));
    CHECK(source.reclaim() == 1);  // the second is still being read
    CHECK(one.enter().words[0] == 3);
    CHECK(source.latest().words[0] == 3);
    other.leave();
    CHECK(source.reclaim() == 0);
  }
  CHECK(alive == 0);
}

TEST_CASE("qsbr: without readers nothing is kept") {
  std::atomic<int> alive{0};
  Qsbr<Value> source(std::make_unique<Value>(1, alive), 4);
  for (std::uint64_t n = 2; n < 100; ++n) source.publish(std::make_unique<Value>(n, alive));
  CHECK(alive == 1);
}

TEST_CASE("qsbr: readers against a thousand publications see whole values, never older ones") {
  constexpr int kReaders = 3, kPublications = 1000;
  std::atomic<int> alive{0};
  std::atomic<int> started{0};
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  {
    Qsbr<Value> source(std::make_unique<Value>(1, alive), kReaders);
    std::vector<std::thread> readers;
    for (int i = 0; i < kReaders; ++i)
      readers.emplace_back([&, i] {
        auto reader = source.reader(static_cast<std::size_t>(i));
        ++started;
        for (std::uint64_t last = 0; !stop;) {
          const Value& value = reader.enter();
          if (!value.is_whole() || value.words[0] < last) ++wrong;
          last = value.words[0];
          reader.leave();
        }
      });
    while (started < kReaders) std::this_thread::yield();
    for (std::uint64_t n = 2; n < 2 + kPublications; ++n) {
      source.publish(std::make_unique<Value>(n, alive));
      if (n % 16 == 0) std::this_thread::yield();
    }
    stop = true;
    for (std::thread& reader : readers) reader.join();
    CHECK(source.reclaim() == 0);
    CHECK(alive == 1);
  }
  CHECK(wrong == 0);
  CHECK(alive == 0);
}
