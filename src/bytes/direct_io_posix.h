// What reading and writing past the page cache needs.
#pragma once

#include <fcntl.h>

#include <cstddef>

#include "base/range.h"
#include "bytes/buffer_pool.h"

namespace icecore::direct_io {

#ifdef O_DIRECT
inline constexpr int flag = O_DIRECT;
#else
inline constexpr int flag = 0;
#endif

/// Of offsets, sizes and memory: every disk's and file system's blocks divide it.
inline constexpr std::size_t alignment = BufferPool::alignment;

/// Has the disk begin with what was written there through the page cache.
inline void beginWriting(int file, Range range) {
#ifdef SYNC_FILE_RANGE_WRITE
    (void)::sync_file_range(file, static_cast<off_t>(range.begin()),
                            static_cast<off_t>(range.size()), SYNC_FILE_RANGE_WRITE);
#else
    (void)file, (void)range;
#endif
}

/// Has what was written there through the page cache leave it. Only what is on its way to the disk
/// can be dropped; that it is safe there is for fsync.
inline void dropFromCache(int file, Range range) {
    const auto offset = static_cast<off_t>(range.begin()), size = static_cast<off_t>(range.size());
#ifdef SYNC_FILE_RANGE_WRITE
    (void)::sync_file_range(
        file, offset, size,
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
#endif
    (void)::posix_fadvise(file, offset, size, POSIX_FADV_DONTNEED);
}

}  // namespace icecore::direct_io
