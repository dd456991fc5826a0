// Arrays of counters, most of which stay zero.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace nfsteer {

// So many T, all bytes zero. Memory is taken by the page when something in it is written:
// what is only read, or never touched, takes none. Not copied.
template <typename T>
class Zeros {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  explicit Zeros(std::size_t count) : size_(count) {
    if (count == 0) return;
    void* memory = ::mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<T*>(memory);
  }
  Zeros(Zeros&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Zeros& operator=(Zeros&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Zeros() {
    if (data_) ::munmap(data_, size_ * sizeof(T));
  }

  std::size_t size() const noexcept { return size_; }
  // REQUIRES: index < size()
  T& operator[](std::size_t index) noexcept { return data_[index]; }
  const T& operator[](std::size_t index) const noexcept { return data_[index]; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace nfsteer
