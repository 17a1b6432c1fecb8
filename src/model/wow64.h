// A 32-bit process on 64-bit Windows (WOW64): its two sides, and going from one to the other.
//
// Such a process has every thing of a thread twice: registers, stack and environment block. A dump
// taken by a 64-bit program tells of the 64-bit side, which shows little but the layer in between;
// the 32-bit side lies in the dumped memory.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/issue.h"
#include "model/process.h"

namespace icecore {

/// What one of the sides makes of a process.
struct ProcessSide {
    struct ThreadSide {
        std::optional<Context> context;
        std::optional<Range> stack;
        std::optional<std::uint64_t> tls;  ///< the TEB
        bool operator==(const ThreadSide&) const = default;
    };
    Arch arch = Arch::unknown;
    std::optional<std::uint64_t> peb;
    std::vector<ThreadSide> threads;          ///< in the order of process.threads
    std::optional<Context> exceptionContext;  ///< when it differs from the thread's
    bool operator==(const ProcessSide&) const = default;
};

/// Whether the modules are those of a WOW64 process seen from its 64-bit side.
bool isWow64(const Process& process);

/// The x86 side of a WOW64 process that stands on its 64-bit side; nothing for any other process.
/// What its memory does not hold stays unknown; `issues`, when given, says what and why.
///
/// - A thread that runs 32-bit code has its registers in the processor's: AMD64 with the code
///   segment 0x23 (KGDT64_R3_CMCODE).
/// - Any other has left them in its CPU area, to which TEB64.TlsSlots[1] (WOW64_TLS_CPURESERVED)
///   points: WOW64_CPURESERVED { USHORT Flags; USHORT Machine }, then a CONTEXT of x86. (phnt,
///   ntwow64.h and ntpebteb.h. Before Windows 10 the first word was one, so that Machine is 0.)
/// - The 32-bit TEB lies WowTebOffset from the 64-bit one, before Windows 10 where the latter's
///   ExceptionList points.
std::optional<ProcessSide> wow64Side(const Process& process, Issues* issues = nullptr);

/// Makes the other side the process' own, and `other` the one it had: twice is never.
void exchangeSides(Process& process, ProcessSide& other);

/// Whether the event of the dump belongs to the 32-bit side: it happened in 32-bit code, or in the
/// layer that reports to the system what happened there. `process` stands on its 64-bit side.
bool eventIs32Bit(const Process& process, const ProcessSide& narrow);

/// Puts a WOW64 process that nobody looked at yet on the side that tells what it was doing: the
/// 32-bit one, unless the event of the dump belongs to the other. Whether it went there.
bool goToTelling32BitSide(Process& process);

}  // namespace icecore
