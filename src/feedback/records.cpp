#include <algorithm>

#include "nfsteer/feedback.hpp"

namespace nfsteer {

ServerFigures& ServerFigures::operator+=(const ServerFigures& other) noexcept {
  active += other.active;
  total += other.total;
  failed += other.failed;
  volume.packets += other.volume.packets;
  volume.bytes += other.volume.bytes;
  last_s = std::max(last_s, other.last_s);
  latencies += other.latencies;
  return *this;
}

ServerFigures& ServerFigures::operator-=(const ServerFigures& earlier) noexcept {
  total -= earlier.total;
  failed -= earlier.failed;
  volume.packets -= earlier.volume.packets;
  volume.bytes -= earlier.volume.bytes;
  latencies -= earlier.latencies;
  return *this;
}

void ServerRecords::Record::add_latency(std::uint64_t us) noexcept {
  us = std::max<std::uint64_t>(us, 1);  // 0 is "none"
  const std::uint64_t min_us = latency_min_us.read();
  if (min_us == 0 || us < min_us) latency_min_us.set(us);
  if (us > latency_max_us.read()) latency_max_us.set(us);
  latency_sum_us.add(us);
  latencies[Latencies::bucket(us)].add(1);
}

ServerRecords::~ServerRecords() {
  for (std::size_t id = 0; id < kIds; ++id) delete records_[id].load(std::memory_order_relaxed);
}

ServerRecords::Record& ServerRecords::operator[](ServerId id) {
  if (Record* record = records_[id].load(std::memory_order_relaxed)) return *record;
  auto* record = new Record;
  records_[id].store(record, std::memory_order_release);
  return *record;
}

bool ServerRecords::is_suspect(ServerId id) const noexcept {
  constexpr std::uint64_t kSeenMin = 10, kFailedPercent = 20;
  const Record* record = records_[id].load(std::memory_order_acquire);
  if (!record) return false;
  const std::uint64_t seen = record->recent_seen.read(), failed = record->recent_failed.read();
  return seen >= kSeenMin && failed * 100 >= seen * kFailedPercent;
}

ServerFigures ServerRecords::read(ServerId id) const noexcept {
  ServerFigures figures;
  const Record* record = records_[id].load(std::memory_order_acquire);
  if (!record) return figures;
  figures.active = record->active.read();
  figures.total = record->total.read();
  figures.failed = record->failed.read();
  figures.volume = {record->packets.read(), record->bytes.read()};
  figures.last_s = record->last_s.read();
  figures.latencies.sum_us = record->latency_sum_us.read();
  figures.latencies.min_us = record->latency_min_us.read();
  figures.latencies.max_us = record->latency_max_us.read();
  for (std::size_t i = 0; i < Latencies::kBuckets; ++i)
    figures.latencies.counts[i] = record->latencies[i].read();
  return figures;
}

}  // namespace nfsteer
