// Time of short operations, to be compared within one run.
#pragma once

#include <linux/perf_event.h>
#include <malloc.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace nfsteer::bench {

inline constexpr int kRounds = 7;

// What the rounds took: nanoseconds for one operation.
class Times {
 public:
  void add(double ns) { ns_.insert(std::upper_bound(ns_.begin(), ns_.end(), ns), ns); }
  double min() const { return ns_.front(); }
  double median() const { return ns_[ns_.size() / 2]; }

 private:
  std::vector<double> ns_;  // ascending
};

// The compiler has to compute the value.
template <typename T>
void keep(const T& value) {
  asm volatile("" : : "r"(value));
}

template <typename Pass>
double time_ns(std::size_t operations, Pass pass) {
  const auto start = std::chrono::steady_clock::now();
  keep(pass());
  const std::chrono::duration<double, std::nano> passed = std::chrono::steady_clock::now() - start;
  return passed.count() / static_cast<double>(operations);
}

// Runs the passes in turn, so that what else the machine does falls on all of
// them. Each does so many operations and returns a value that depends on all.
template <typename... Passes>
std::array<Times, sizeof...(Passes)> measure(std::size_t operations, Passes... passes) {
  std::array<Times, sizeof...(Passes)> times;
  for (int round = 0; round < kRounds; ++round) {
    std::size_t i = 0;
    (times[i++].add(time_ns(operations, passes)), ...);
  }
  return times;
}

// The same of two passes that do so many operations each.
template <typename One, typename Other>
std::array<Times, 2> measure_apart(std::size_t operations, One one, std::size_t other_operations,
                                   Other other) {
  std::array<Times, 2> times;
  for (int round = 0; round < kRounds; ++round) {
    times[0].add(time_ns(operations, one));
    times[1].add(time_ns(other_operations, other));
  }
  return times;
}

// Of the heap, by the whole process.
inline double bytes_in_use() {
  const auto info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

// Of memory, by the whole process.
inline double resident_bytes() {
  std::size_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

// "812 instructions each", by the processor's counter, or that it has none for us.
template <typename Pass>
std::string instructions_text(Pass pass, std::size_t operations) {
  perf_event_attr wanted{};
  wanted.type = PERF_TYPE_HARDWARE;
  wanted.size = sizeof wanted;
  wanted.config = PERF_COUNT_HW_INSTRUCTIONS;
  wanted.exclude_kernel = 1;
  const long counter = ::syscall(SYS_perf_event_open, &wanted, 0, -1, -1, 0);
  if (counter < 0) return "instructions: this machine counts none for programs";
  std::uint64_t before = 0, after = 0;
  const auto read_count = [counter](std::uint64_t& count) {
    return ::read(static_cast<int>(counter), &count, sizeof count) == sizeof count;
  };
  const bool good = read_count(before) && (pass(), read_count(after));
  ::close(static_cast<int>(counter));
  if (!good || after == before) return "instructions: this machine counts none for programs";
  return std::to_string((after - before) / operations) + " instructions each";
}

inline void print_machine() {
  std::string line, machine = "machine unknown";
  for (std::ifstream info("/proc/cpuinfo"); std::getline(info, line);)
    if (line.starts_with("model name")) machine = line.substr(line.find(':') + 2);
  std::printf("%s; compiler %s\n", machine.c_str(), __VERSION__);
}

inline void print_heading() {
  print_machine();
  std::printf("ns for one operation, minimum and median of %d rounds; ratio of medians\n\n",
              kRounds);
  std::printf("%-24s %8s %8s   %8s %8s %8s\n", "", "min", "median", "min", "median", "ratio");
}

inline void print_row(const char* name, const Times& ours, const char* other, const Times& theirs) {
  std::printf("%-24s %8.1f %8.1f   %8.1f %8.1f %7.1fx  %s\n", name, ours.min(), ours.median(),
              theirs.min(), theirs.median(), theirs.median() / ours.median(), other);
}

inline void print_row(const char* name, const Times& ours) {
  std::printf("%-24s %8.1f %8.1f\n", name, ours.min(), ours.median());
}

}  // namespace nfsteer::bench
