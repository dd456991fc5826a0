// Files as they were read or written, kept in memory: those in force and those before.
// What the next engine starts with, and what `undo` goes back to, whatever has become of
// the files on the disk.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "nfsteer/base/fd.hpp"
#include "nfsteer/base/result.hpp"
#include "nfsteer/config.hpp"

namespace nfsteer {

// Made by the keeper, used by each engine in turn. An engine that dies while it writes
// leaves what was in force as it was.
class Vault {
 public:
  Vault() = default;
  // `current` lies in a page that the keeper shares with every engine; it is the number
  // of configurations that were committed.
  static Result<Vault> make(std::atomic<std::uint64_t>& current);

  // How many were committed.
  std::uint64_t number() const noexcept { return current_->load(std::memory_order_acquire); }

  // Writes what is to be in force next. One thread at a time, any.
  Result<void> stage(const Sources& sources) const;
  // What was staged is in force; what was in force is the one before.
  void commit() noexcept { current_->fetch_add(1, std::memory_order_release); }

  // What is in force. REQUIRES: something was committed
  Result<Sources> current() const { return read(number()); }
  // REQUIRES: two were committed
  Result<Sources> previous() const { return read(number() - 1); }

 private:
  explicit Vault(std::atomic<std::uint64_t>& current) : current_(&current) {}
  Result<Sources> read(std::uint64_t number) const;

  std::array<Fd, 2> files_;  // by the parity of a configuration's number
  std::atomic<std::uint64_t>* current_ = nullptr;
};

}  // namespace nfsteer
