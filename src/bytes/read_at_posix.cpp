#include "bytes/read_at_posix.h"

#include <unistd.h>

#include <cerrno>

#include "base/text.h"

namespace icecore {

ReadAt readAt(int file, std::uint64_t offset, std::span<std::byte> out) {
    std::size_t done = 0;
    while (done < out.size()) {
        const ssize_t got =
            ::pread(file, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return {done, errno};
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return {done, 0};
}

Result<void> readAllAt(int file, std::uint64_t offset, std::span<std::byte> out,
                       const std::string& name) {
    const auto [bytes, error] = readAt(file, offset, out);
    if (error != 0) return failErrno(error, "cannot be read", name);
    if (bytes < out.size())
        return fail(Errc::truncated, "ends before " + hex(offset + out.size()), name);
    return {};
}

}  // namespace icecore
