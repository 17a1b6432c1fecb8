#include "live/linux/memory_reader.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "bytes/read_at_posix.h"
#include "live/linux/proc.h"

namespace icecore::live {

MemoryReader::MemoryReader(pid_t process)
    : process_(process), mem_(::open(procPath(process, "mem").c_str(), O_RDONLY | O_CLOEXEC)) {}

std::size_t MemoryReader::readMem(std::uint64_t address, std::span<std::byte> out) const {
    return readAt(mem_.get(), address, out).bytes;
}

std::size_t MemoryReader::readPinned(std::uint64_t address, std::span<std::byte> out) const {
    std::size_t done = 0;
    while (done < out.size()) {
        const iovec local{out.data() + done, out.size() - done};
        // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of another process.
        const iovec remote{reinterpret_cast<void*>(address + done), out.size() - done};
        const ssize_t got = ::process_vm_readv(process_, &local, 1, &remote, 1, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        done += static_cast<std::size_t>(got);
    }
    return done;
}

std::size_t MemoryReader::read(std::uint64_t address, std::span<std::byte> out) const {
    return mem_.valid() ? readMem(address, out) : readPinned(address, out);
}

}  // namespace icecore::live
