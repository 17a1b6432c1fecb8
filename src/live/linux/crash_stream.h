// The core that the kernel writes into a crash handler's standard input.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "bytes/descriptor_posix.h"
#include "bytes/sink.h"

namespace icecore::live {

/// Reads it front to back: it comes through a pipe (core(5), "Piping core dumps to a program"). The
/// process it is of waits until the last reader has closed the pipe, and its /proc/PID stays as
/// long.
class CrashStream {
public:
    using Clock = std::chrono::steady_clock;

    /// Takes `pipe`. No read waits beyond `deadline`.
    CrashStream(Descriptor pipe, Clock::time_point deadline);

    /// The ELF header, the program headers and the notes: everything before the memory. Kept, since
    /// a core may yet be made of it in another way. At most `maxHead` bytes.
    Result<void> readHead();
    /// The head as a core of its own, whose segments say that they hold no bytes: registers, the
    /// signal and the mapped files, for a reader of cores.
    [[nodiscard]] std::vector<std::byte> headAsCore() const;

    struct Copied {
        std::uint64_t bytes = 0;   ///< of the core, holes included
        std::uint64_t stored = 0;  ///< of which not zero
        bool cut = false;          ///< the kernel stopped before the end
    };
    /// The whole core, pages of zeros as holes; memory use does not depend on its size. Fails with
    /// `limit` once more than `maxStored` bytes would have to be stored.
    Result<Copied> copyTo(Sink& sink, std::uint64_t maxStored);

    /// Lets the process go: the kernel gets no more of the core rid, and does not wait for us.
    void close() { pipe_.reset(); }

    /// 5 000 threads with the biggest vector state and 200 000 mappings stay below.
    static constexpr std::uint64_t maxHead = std::uint64_t{128} << 20;

private:
    /// As much as comes; 0 at the end.
    Result<std::size_t> readSome(std::span<std::byte> out);
    Result<void> extendHead(std::uint64_t size);
    template <class Header, class Program, class Section>
    Result<void> readHeadAs();
    template <class Header, class Program, class Section>
    [[nodiscard]] std::vector<std::byte> headAs() const;
    [[nodiscard]] bool is64() const;

    Descriptor pipe_;
    Clock::time_point deadline_;
    std::vector<std::byte> head_;
    std::uint64_t programOffset_ = 0, programCount_ = 0;
    std::uint64_t expected_ = 0;  ///< size of the whole core by its program headers
};

}  // namespace icecore::live
