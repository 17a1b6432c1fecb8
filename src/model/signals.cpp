#include "model/signals.h"

#include <fmt/format.h>

#include <array>
#include <span>

#include "base/text.h"

namespace icecore {

namespace {

struct SignalRow {
    std::uint32_t number;
    std::string_view name, text;
    SignalNature nature;
};
// Numbers of x86 and arm: Linux, include/uapi/asm-generic/signal.h.
constexpr auto signalTable = std::to_array<SignalRow>({
    {1, "SIGHUP", "hangup", SignalNature::request},
    {2, "SIGINT", "interrupt from the keyboard", SignalNature::request},
    {3, "SIGQUIT", "quit from the keyboard", SignalNature::request},
    {4, "SIGILL", "illegal instruction", SignalNature::fault},
    {5, "SIGTRAP", "trap", SignalNature::fault},
    {6, "SIGABRT", "abort", SignalNature::abort},
    {7, "SIGBUS", "bus error", SignalNature::fault},
    {8, "SIGFPE", "arithmetic fault", SignalNature::fault},
    {9, "SIGKILL", "kill", SignalNature::request},
    {10, "SIGUSR1", "user-defined signal 1", SignalNature::request},
    {11, "SIGSEGV", "segmentation fault", SignalNature::fault},
    {12, "SIGUSR2", "user-defined signal 2", SignalNature::request},
    {13, "SIGPIPE", "write to a pipe that nobody reads", SignalNature::request},
    {14, "SIGALRM", "alarm clock", SignalNature::request},
    {15, "SIGTERM", "termination request", SignalNature::request},
    {16, "SIGSTKFLT", "stack fault", SignalNature::fault},
    {17, "SIGCHLD", "child stopped or ended", SignalNature::request},
    {18, "SIGCONT", "continue", SignalNature::request},
    {19, "SIGSTOP", "stop", SignalNature::request},
    {20, "SIGTSTP", "stop from the keyboard", SignalNature::request},
    {21, "SIGTTIN", "background read from the terminal", SignalNature::request},
    {22, "SIGTTOU", "background write to the terminal", SignalNature::request},
    {23, "SIGURG", "urgent data on a socket", SignalNature::request},
    {24, "SIGXCPU", "limit of processor time reached", SignalNature::limit},
    {25, "SIGXFSZ", "limit of file size reached", SignalNature::limit},
    {26, "SIGVTALRM", "virtual alarm clock", SignalNature::request},
    {27, "SIGPROF", "profiling timer", SignalNature::request},
    {28, "SIGWINCH", "window size changed", SignalNature::request},
    {29, "SIGIO", "input or output possible", SignalNature::request},
    {30, "SIGPWR", "power failure", SignalNature::request},
    {31, "SIGSYS", "forbidden system call", SignalNature::limit},
});

struct CodeRow {
    std::uint32_t signal;  ///< 0: of every signal
    std::int32_t code;
    std::string_view name, text;
};
// Linux, include/uapi/asm-generic/siginfo.h.
constexpr auto codeTable = std::to_array<CodeRow>({
    {0, 0, "SI_USER", "sent by kill"},
    {0, 0x80, "SI_KERNEL", "sent by the kernel"},
    {0, -1, "SI_QUEUE", "sent by sigqueue"},
    {0, -2, "SI_TIMER", "a timer expired"},
    {0, -3, "SI_MESGQ", "a message arrived in an empty queue"},
    {0, -4, "SI_ASYNCIO", "asynchronous input or output completed"},
    {0, -5, "SI_SIGIO", "queued input or output signal"},
    {0, -6, "SI_TKILL", "sent by tgkill or raise"},
    {4, 1, "ILL_ILLOPC", "illegal opcode"},
    {4, 2, "ILL_ILLOPN", "illegal operand"},
    {4, 3, "ILL_ILLADR", "illegal addressing mode"},
    {4, 4, "ILL_ILLTRP", "illegal trap"},
    {4, 5, "ILL_PRVOPC", "privileged opcode"},
    {4, 6, "ILL_PRVREG", "privileged register"},
    {4, 7, "ILL_COPROC", "coprocessor error"},
    {4, 8, "ILL_BADSTK", "internal stack error"},
    {5, 1, "TRAP_BRKPT", "process breakpoint"},
    {5, 2, "TRAP_TRACE", "process trace trap"},
    {5, 3, "TRAP_BRANCH", "branch trap"},
    {5, 4, "TRAP_HWBKPT", "hardware breakpoint or watchpoint"},
    {7, 1, "BUS_ADRALN", "misaligned address"},
    {7, 2, "BUS_ADRERR", "no such physical address"},
    {7, 3, "BUS_OBJERR", "hardware error of the object"},
    {7, 4, "BUS_MCEERR_AR", "hardware memory error, consumed"},
    {7, 5, "BUS_MCEERR_AO", "hardware memory error, found"},
    {8, 1, "FPE_INTDIV", "integer division by zero or overflow"},
    {8, 2, "FPE_INTOVF", "integer overflow"},
    {8, 3, "FPE_FLTDIV", "floating-point division by zero"},
    {8, 4, "FPE_FLTOVF", "floating-point overflow"},
    {8, 5, "FPE_FLTUND", "floating-point underflow"},
    {8, 6, "FPE_FLTRES", "floating-point inexact result"},
    {8, 7, "FPE_FLTINV", "invalid floating-point operation"},
    {8, 8, "FPE_FLTSUB", "subscript out of range"},
    {11, 1, "SEGV_MAPERR", "address not mapped"},
    {11, 2, "SEGV_ACCERR", "access not permitted"},
    {11, 3, "SEGV_BNDERR", "bounds check failed"},
    {11, 4, "SEGV_PKUERR", "forbidden by a protection key"},
    {11, 8, "SEGV_MTEAERR", "memory tag mismatch, reported late"},
    {11, 9, "SEGV_MTESERR", "memory tag mismatch"},
    {11, 10, "SEGV_CPERR", "control protection: the shadow stack does not match"},
    {31, 1, "SYS_SECCOMP", "a seccomp filter forbids the system call"},
});

}  // namespace

SignalWords signalWords(std::uint32_t signal) {
    for (const SignalRow& row : signalTable) {
        if (row.number == signal) return {std::string(row.name), row.text, row.nature};
    }
    constexpr std::uint32_t firstRealTime = 34;  // glibc keeps 32 and 33 to itself
    if (signal >= firstRealTime && signal <= 64)
        return {fmt::format("SIGRTMIN+{}", signal - firstRealTime), "real-time signal",
                SignalNature::request};
    return {fmt::format("signal {}", signal), "unknown signal", SignalNature::request};
}

std::optional<std::uint32_t> signalByName(std::string_view name) {
    constexpr std::uint64_t most = 64;
    if (const auto number = parseDecimal(name))
        return *number >= 1 && *number <= most ? std::optional(static_cast<std::uint32_t>(*number))
                                               : std::nullopt;
    const std::string lower = toLower(name);
    for (const SignalRow& row : signalTable) {
        const std::string known = toLower(row.name);
        if (lower == known || lower == known.substr(3)) return row.number;
    }
    return std::nullopt;
}

SignalCodeWords signalCodeWords(std::uint32_t signal, std::int32_t code) {
    for (const CodeRow& row : codeTable) {
        if (row.code == code && (row.signal == 0 || row.signal == signal))
            return {row.name, row.text};
    }
    return {};
}

bool sentByProcess(const Exception& exception) {
    // SI_TIMER and the like are negative too, and nobody's doing.
    return exception.signalCode == signal_codes::user || exception.signalCode == -1 ||
           exception.signalCode == signal_codes::tkill;
}

}  // namespace icecore
