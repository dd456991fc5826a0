// The operator new that counts. ThreadSanitizer brings an operator new that cannot
// be replaced: there nothing is counted.
#include "allocations.hpp"

#include <cstdlib>
#include <new>

namespace {

thread_local std::uint64_t allocation_count = 0;

[[maybe_unused]] void* allocate(std::size_t bytes) {
  ++allocation_count;
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}

}  // namespace

std::uint64_t nfsteer::testing::allocations() {
  return allocation_count;
}

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define NFSTEER_NEW_IS_TAKEN
#endif
#endif

#ifndef NFSTEER_NEW_IS_TAKEN
void* operator new(std::size_t bytes) {
  return allocate(bytes);
}
void* operator new[](std::size_t bytes) {
  return allocate(bytes);
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  ++allocation_count;
  return std::malloc(bytes == 0 ? 1 : bytes);
}
void* operator new[](std::size_t bytes, const std::nothrow_t& nothrow) noexcept {
  return operator new(bytes, nothrow);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
#endif
