#include "analysis/caught_signal.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "analysis/crash_case.h"
#include "bytes/endian.h"
#include "model/signals.h"

namespace icecore {

namespace {

/// A handler's own frames above the kernel's; deeper ones we would find only by walking all stacks
/// of healthy processes to their ends.
constexpr std::size_t searchedFrames = 48;

/// Linux, include/uapi/asm-generic/siginfo.h, 64-bit: si_signo, si_errno, si_code, then at 16
/// si_addr or si_pid.
constexpr std::size_t signalInfoSize = 128;
constexpr std::size_t detailOffset = 16;

/// Bytes from the signal frame's stack pointer to siginfo; nothing where we do not know it.
std::optional<std::uint64_t> signalInfoOffset(Arch arch) {
    switch (arch) {
    // arch/x86/include/asm/sigframe.h: behind the return address, which the handler's return has
    // popped, the kernel's ucontext (304 bytes: flags, link, stack, sigcontext_64, mask).
    case Arch::x86_64: return 304;
    // arch/arm64/kernel/signal.c, struct rt_sigframe.
    case Arch::arm64: return 0;
    default: return std::nullopt;
    }
}

bool tellsOfDefect(std::uint32_t signal) {
    const SignalNature nature = signalWords(signal).nature;
    return nature == SignalNature::fault || nature == SignalNature::abort;
}

std::optional<Exception> exceptionAt(const Process& process, const Frame& trampoline,
                                     const Frame& interrupted) {
    const auto offset = signalInfoOffset(process.system.arch);
    std::vector<std::byte> info(signalInfoSize);
    if (!offset || !process.memory->readExactly(trampoline.sp + *offset, info)) return std::nullopt;
    Exception exception;
    exception.code = loadInteger<std::uint32_t>(info.data());
    if (!tellsOfDefect(exception.code)) return std::nullopt;
    exception.signalErrno = loadInteger<std::int32_t>(info.data() + 4);
    exception.signalCode = loadInteger<std::int32_t>(info.data() + 8);
    exception.address = interrupted.pc;
    exception.context.emplace();
    exception.context->registers = interrupted.registers;
    if (exception.signalCode <= 0) {
        exception.sender = loadInteger<std::uint32_t>(info.data() + detailOffset);
    } else if (signalWords(exception.code).nature == SignalNature::fault &&
               exception.signalCode != signal_codes::kernel) {
        exception.faultAddress = loadInteger<std::uint64_t>(info.data() + detailOffset);
    }
    exception.rawSignalInfo = SharedBytes::own(std::move(info));
    return exception;
}

}  // namespace

std::optional<Exception> findCaughtSignal(const Process& process, const Unwinder& unwinder) {
    if (process.system.os != Os::linux_os || !signalInfoOffset(process.system.arch))
        return std::nullopt;
    UnwindOptions options;
    options.maxFrames = searchedFrames;
    options.scan = false;
    for (const Thread& thread : process.threads) {
        if (!thread.context) continue;
        const Stack stack = unwinder.unwind(thread, options);
        // The outermost: a handler that crashes in its turn hides what came first.
        for (std::size_t i = stack.frames.size(); i-- > 1;) {
            const Frame& trampoline = stack.frames[i - 1];
            if (!trampoline.signalFrame) continue;
            auto exception = exceptionAt(process, trampoline, stack.frames[i]);
            if (!exception) continue;
            exception->threadId = thread.id;
            return exception;
        }
    }
    return std::nullopt;
}

void adoptCaughtSignal(Snapshot& snapshot, const Unwinder& unwinder) {
    Process& process = *snapshot.process;
    if (process.exception) return;
    process.exception = findCaughtSignal(process, unwinder);
    if (!process.exception) return;
    snapshot.issues.note(
        fmt::format("the dump records no exception; this one was found on the stack of {}, which "
                    "stands in the program's own signal handler",
                    threadText(process, process.exception->threadId)));
}

}  // namespace icecore
