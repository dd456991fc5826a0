// Memory for large tables that are read at random: on huge pages where the system
// gives them, for then a read misses the TLB less often.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>

namespace nfsteer {

// An allocator for standard containers.
template <typename T>
struct HugePages {
  using value_type = T;

  HugePages() = default;
  template <typename Other>
  HugePages(const HugePages<Other>&) noexcept {}

  T* allocate(std::size_t count) {
    constexpr std::size_t kPage = std::size_t{2} << 20;
    const std::size_t bytes = count * sizeof(T);
    const bool is_large = bytes >= kPage;
    const std::size_t unit = is_large ? kPage : alignof(T);
    void* memory = std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit);
    if (!memory) throw std::bad_alloc();
    if (is_large) ::madvise(memory, bytes, MADV_HUGEPAGE);  // a wish
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t) noexcept { std::free(memory); }

  friend bool operator==(const HugePages&, const HugePages&) noexcept = default;
};

}  // namespace nfsteer
