// Aligned memory that is given back by itself.

#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace gk {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

// Uninitialised elements, aligned to a cache line; huge sizes to a huge page. Throws bad_alloc.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t count) : count_(count) {
    const size_t bytes = count * sizeof(T);
    const size_t align = bytes >= kHugePage ? kHugePage : kCacheLine;
    const size_t rounded = (bytes + align - 1) / align * align;
    if (rounded < bytes || (count != 0 && bytes / count != sizeof(T))) throw std::bad_alloc();
    memory_.reset(static_cast<T*>(std::aligned_alloc(align, rounded ? rounded : align)));
    if (!memory_) throw std::bad_alloc();
#if defined(__linux__)
    // Only a hint: where there are no huge pages, small ones do.
    if (align == kHugePage) madvise(memory_.get(), rounded, MADV_HUGEPAGE);
#endif
  }

  T* data() { return memory_.get(); }
  const T* data() const { return memory_.get(); }
  size_t size() const { return count_; }
  size_t bytes() const { return count_ * sizeof(T); }
  T& operator[](size_t i) { return memory_.get()[i]; }
  const T& operator[](size_t i) const { return memory_.get()[i]; }

 private:
  static constexpr size_t kCacheLine = 64;
  static constexpr size_t kHugePage = size_t{1} << 21;
  std::unique_ptr<T, Free> memory_;
  size_t count_ = 0;
};

}  // namespace gk
