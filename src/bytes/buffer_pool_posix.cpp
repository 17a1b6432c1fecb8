#include <sys/mman.h>

#include "bytes/buffer_pool.h"

namespace icecore {

namespace {

/// Of x86-64 and of ARM64 with pages of 4 KiB.
constexpr std::size_t hugePage = std::size_t{2} << 20;

}  // namespace

BufferPool::Buffer BufferPool::make() const {
    const bool huge = size_ % hugePage == 0;
    Buffer buffer(static_cast<std::byte*>(std::aligned_alloc(huge ? hugePage : alignment, size_)));
#ifdef MADV_HUGEPAGE
    if (huge && buffer) (void)::madvise(buffer.get(), size_, MADV_HUGEPAGE);
#endif
    return buffer;
}

}  // namespace icecore
