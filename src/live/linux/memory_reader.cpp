#include "live/linux/memory_reader.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "live/linux/proc.h"

namespace icecore::live {

MemoryReader::MemoryReader(pid_t process)
    : process_(process),
      mem_(::open(procPath(process, "mem").c_str(), O_RDONLY | O_CLOEXEC)) {}

std::size_t MemoryReader::readMem(std::uint64_t address, std::span<std::byte> out) const {
    if (!mem_.valid()) return 0;
    std::size_t done = 0;
    while (done < out.size()) {
        const ssize_t got = ::pread(mem_.get(), out.data() + done, out.size() - done,
                                    static_cast<off_t>(address + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        done += static_cast<std::size_t>(got);
    }
    return done;
}

std::size_t MemoryReader::read(std::uint64_t address, std::span<std::byte> out) const {
    std::size_t done = 0;
    while (done < out.size() && direct_.load(std::memory_order_relaxed)) {
        const iovec local{out.data() + done, out.size() - done};
        const iovec remote{reinterpret_cast<void*>(address + done), out.size() - done};
        const ssize_t got = ::process_vm_readv(process_, &local, 1, &remote, 1, 0);
        if (got > 0) {
            done += static_cast<std::size_t>(got);
            continue;
        }
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EPERM || errno == ENOSYS || errno == ESRCH)) {
            direct_.store(false, std::memory_order_relaxed);
            break;
        }
        // A page without read permission may still be read through mem, as a debugger does. Then
        // back to the quick way.
        const std::uint64_t toPageEnd = pageSize() - (address + done) % pageSize();
        const std::size_t want = static_cast<std::size_t>(
            std::min<std::uint64_t>(out.size() - done, toPageEnd));
        const std::size_t slow = readMem(address + done, out.subspan(done, want));
        done += slow;
        if (slow < want) return done;
    }
    return done + readMem(address + done, out.subspan(done));
}

}  // namespace icecore::live
