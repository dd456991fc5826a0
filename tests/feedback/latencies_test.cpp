// Histograms of latencies against the samples themselves.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "nfsteer/feedback.hpp"

using namespace nfsteer;

namespace {

Latencies latencies_of(const std::vector<std::uint64_t>& samples) {
  ServerRecords records;
  for (const std::uint64_t us : samples) records[1].add_latency(us);
  return records.read(1).latencies;
}

}  // namespace

TEST_CASE("Latencies: every latency has one bucket, narrow and in order") {
  for (std::size_t i = 0; i + 1 < Latencies::kBuckets; ++i) {
    const std::uint64_t first = Latencies::first(i), last = Latencies::first(i + 1) - 1;
    CAPTURE(i);
    REQUIRE(first <= last);
    REQUIRE(Latencies::bucket(first) == i);
    REQUIRE(Latencies::bucket(last) == i);
    const double width = static_cast<double>(last - first + 1);
    const bool is_narrow = width == 1 || width <= 0.063 * static_cast<double>(first);
    REQUIRE(is_narrow);
  }
  CHECK(Latencies::bucket(~std::uint64_t{0}) == Latencies::kBuckets - 1);
}

TEST_CASE("Latencies: what they say of few samples") {
  static constexpr struct {
    std::vector<std::uint64_t> (*samples)();
    Latencies::Summary want;
    const char* remark;
  } kCases[] = {
      {[] { return std::vector<std::uint64_t>{}; }, {}, "none"},
      {[] { return std::vector<std::uint64_t>{0}; }, {1, 1, 1, 1, 1, 1, 1}, "below a microsecond"},
      {[] { return std::vector<std::uint64_t>{777}; },
       {1, 777, 777, 777, 777, 777, 777},
       "one is exact"},
      {[] {
         return std::vector<std::uint64_t>{10, 20, 30};
       },
       {3, 20, 10, 30, 20, 30, 30},
       ""},
      {[] { return std::vector<std::uint64_t>{1ull << 40}; },
       {1, 1ull << 40, Latencies::first(383), 1ull << 40, 0, 0, 0},
       "longer than the last bucket"},
  };
  for (const auto& each : kCases) {
    INFO(each.remark);
    const Latencies::Summary& want = each.want;
    const auto got = latencies_of(each.samples()).summary();
    CHECK(got.samples == want.samples);
    CHECK(got.avg_us == want.avg_us);
    CHECK(got.max_us == want.max_us);
    if (want.p50_us == 0 && want.samples != 0) continue;  // not told
    CHECK(got.min_us == want.min_us);
    CHECK(got.p50_us == want.p50_us);
    CHECK(got.p90_us == want.p90_us);
    CHECK(got.p99_us == want.p99_us);
  }
}

TEST_CASE("Latencies: percentiles are within half a bucket of the sorted samples'") {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> kinds[] = {std::lognormal_distribution<double>(3, 1),
                                                 std::lognormal_distribution<double>(7, 0.3),
                                                 std::lognormal_distribution<double>(10, 2)};
  for (auto& kind : kinds)
    for (const std::size_t count : {1u, 2u, 10u, 101u, 20'000u}) {
      std::vector<std::uint64_t> samples(count);
      for (auto& us : samples) us = static_cast<std::uint64_t>(kind(random)) + 1;
      const auto got = latencies_of(samples).summary();
      std::sort(samples.begin(), samples.end());
      CHECK(got.samples == count);
      CHECK(got.min_us == samples.front());
      CHECK(got.max_us == samples.back());
      const std::pair<double, std::uint64_t> percentiles[] = {
          {0.5, got.p50_us}, {0.9, got.p90_us}, {0.99, got.p99_us}};
      for (const auto& [part, us] : percentiles) {
        const auto rank = static_cast<std::size_t>(std::ceil(part * static_cast<double>(count)));
        const double exact = static_cast<double>(samples[rank - 1]);
        INFO("percentile " << 100 * rank / count);
        CHECK(std::abs(static_cast<double>(us) - exact) <= std::max(1.0, exact * 0.032));
      }
    }
}

TEST_CASE("ServerFigures: what was counted before is taken out, what is now stays") {
  ServerRecords records;
  auto& record = records[9];
  record.active.set(5);
  record.total.set(10);
  for (const std::uint64_t us : {5u, 5'000u}) record.add_latency(us);
  const ServerFigures before = records.read(9);
  record.total.add(2);
  record.failed.add(1);
  record.packets.add(3);
  record.bytes.add(400);
  record.last_s.set(77);
  for (const std::uint64_t us : {200u, 300u}) record.add_latency(us);
  ServerFigures since = records.read(9);
  since -= before;
  CHECK(since.active == 5);
  CHECK(since.total == 2);
  CHECK(since.failed == 1);
  CHECK(since.volume == Volume{3, 400});
  CHECK(since.last_s == 77);
  const auto latencies = since.latencies.summary();
  CHECK(latencies.samples == 2);
  CHECK(latencies.avg_us == 250);
  CHECK(latencies.min_us == Latencies::first(Latencies::bucket(200)));
  CHECK(latencies.max_us == Latencies::first(Latencies::bucket(300) + 1) - 1);

  ServerFigures sum = records.read(8);  // of which nothing was heard
  CHECK(sum.total == 0);
  sum += before;
  sum += since;
  CHECK(sum.active == 10);
  CHECK(sum.total == 12);
  CHECK(sum.latencies.summary().samples == 4);
  CHECK(sum.latencies.summary().min_us == 5);
  CHECK(sum.latencies.summary().max_us == 5'000);
}
