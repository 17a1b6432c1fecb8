#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "bytes/buffer_pool.h"
#include "bytes/descriptor_posix.h"
#include "bytes/direct_io_posix.h"
#include "bytes/past_cache.h"
#include "bytes/read_at_posix.h"

namespace icecore {

namespace {

constexpr std::size_t bufferCount = 4;

}  // namespace

Result<void> readPastCache(const std::filesystem::path& path, std::uint64_t size,
                           std::size_t memory, const UseOfPiece& use) {
    const std::string name = path.string();
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | direct_io::flag));
    bool direct = file.valid() && direct_io::flag != 0;
    if (!file.valid()) file = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) return failErrno(errno, "cannot open", name);
    const std::size_t pieceSize = BufferPool::sizeOfEach(memory, bufferCount);
    BufferPool buffers(bufferCount, pieceSize);
    for (std::uint64_t at = 0; at < size;) {
        const std::shared_ptr<std::byte> buffer = buffers.take();
        if (!buffer) return fail(Errc::limit, "out of memory", name);
        const std::span<std::byte> piece(buffer.get(), pieceSize);
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(pieceSize, size - at));
        // Whole pieces also at the end, where a file may have fewer bytes and O_DIRECT wants all.
        ReadAt got = readAt(file.get(), at, piece);
        if (got.error == EINVAL && got.bytes < wanted &&
            direct) {  // opened with O_DIRECT, and then it is refused
            direct = false;
            file = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
            if (!file.valid()) return failErrno(errno, "cannot open", name);
            got = readAt(file.get(), at, piece);
        }
        use(buffer, piece.first(std::min(got.bytes, wanted)));
        at += std::min(got.bytes, wanted);
        if (!direct)
            (void)::posix_fadvise(file.get(), 0, static_cast<off_t>(at), POSIX_FADV_DONTNEED);
        if (got.bytes >= wanted) continue;
        if (got.error != 0) return failErrno(got.error, "cannot read", name);
        return fail(Errc::truncated, "ends too early", name + " at " + hex(at));
    }
    return {};
}

}  // namespace icecore
