// Reading the bytes of another process.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "bytes/descriptor_posix.h"

namespace icecore::live {

/// Copies with process_vm_readv, which moves bytes once, and turns to /proc/PID/mem where that is
/// refused: by a seccomp filter around us, or by the protection of a page (PROT_NONE). Thread-safe.
class MemoryReader {
public:
    /// `process` may be any thread of the process that has its memory.
    explicit MemoryReader(pid_t process);

    /// How many bytes from `address` on could be read; fewer where a page cannot be.
    std::size_t read(std::uint64_t address, std::span<std::byte> out) const;
    [[nodiscard]] pid_t process() const { return process_; }

private:
    std::size_t readMem(std::uint64_t address, std::span<std::byte> out) const;

    pid_t process_;
    Descriptor mem_;
    mutable std::atomic<bool> direct_{true};
};

}  // namespace icecore::live
