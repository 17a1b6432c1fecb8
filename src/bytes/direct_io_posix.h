// What reading and writing past the page cache needs: the flag, and memory that the disk can take.
#pragma once

#include <fcntl.h>

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace icecore::direct_io {

#ifdef O_DIRECT
inline constexpr int flag = O_DIRECT;
#else
inline constexpr int flag = 0;
#endif

/// Of offsets, sizes and memory: every disk's and file system's blocks divide it.
inline constexpr std::size_t alignment = 4096;

struct Freed {
    void operator()(std::byte* bytes) const { std::free(bytes); }
};
using Buffer = std::unique_ptr<std::byte, Freed>;

/// `size` is a multiple of the alignment. Null where there is no memory.
inline Buffer newBuffer(std::size_t size) {
    return Buffer(static_cast<std::byte*>(std::aligned_alloc(alignment, size)));
}

}  // namespace icecore::direct_io
