// Reading the bytes of another process.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "bytes/descriptor_posix.h"

namespace icecore::live {

/// Reads through /proc/PID/mem, and turns to process_vm_readv where that cannot be opened. Not the
/// other way round, although process_vm_readv moves bytes once and mem twice: it pins the pages,
/// and since Linux 5.19 (mm/gup.c, gup_must_unshare) a page that is shared after a fork is copied
/// before it is pinned. Reading a clone would so make a second copy of the whole target, and
/// reading a stopped server's worker would take away the pages it shares with its parent. mem also
/// reads what the protection of a page (PROT_NONE) hides. Thread-safe.
class MemoryReader {
public:
    /// `process` may be any thread of the process that has its memory.
    explicit MemoryReader(pid_t process);

    /// How many bytes from `address` on could be read; fewer where a page cannot be.
    std::size_t read(std::uint64_t address, std::span<std::byte> out) const;
    [[nodiscard]] pid_t process() const { return process_; }

private:
    std::size_t readMem(std::uint64_t address, std::span<std::byte> out) const;
    std::size_t readPinned(std::uint64_t address, std::span<std::byte> out) const;

    pid_t process_;
    Descriptor mem_;
};

}  // namespace icecore::live
