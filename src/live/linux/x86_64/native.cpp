#include "live/linux/x86_64/native.h"

#include <elf.h>
#include <linux/audit.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

namespace icecore::live::native {

const int extendedRegset = NT_X86_XSTATE;
const int floatingPointRegset = NT_PRFPREG;
const std::uint32_t auditArch = AUDIT_ARCH_X86_64;

namespace {
constexpr std::uint64_t userCode64 = 0x33;  // __USER_CS: the code segment of 64-bit mode

bool moveRegisters(__ptrace_request request, pid_t thread, RegisterSet& registers) noexcept {
    iovec area{&registers, sizeof registers};
    if (::ptrace(request, thread, NT_PRSTATUS, &area) != 0) return false;
    if (area.iov_len == sizeof registers) return true;
    errno = EPROTO;  // the kernel gave the shorter set of a 32-bit thread
    return false;
}
}  // namespace

bool readRegisters(pid_t thread, RegisterSet& registers) noexcept {
    return moveRegisters(PTRACE_GETREGSET, thread, registers);
}

bool writeRegisters(pid_t thread, const RegisterSet& registers) noexcept {
    RegisterSet copy = registers;
    return moveRegisters(PTRACE_SETREGSET, thread, copy);
}

RegisterSet callRegisters(const RegisterSet& original, std::uint64_t site, long number,
                          std::span<const std::uint64_t> arguments) noexcept {
    RegisterSet call{};
    call.cs = original.cs;
    call.ss = original.ss;
    call.ds = original.ds;
    call.es = original.es;
    call.fs = original.fs;
    call.gs = original.gs;
    call.fs_base = original.fs_base;
    call.gs_base = original.gs_base;
    call.eflags = 0x202;  // interrupts on, everything else clear
    call.rip = site;
    call.rax = static_cast<std::uint64_t>(number);
    // Not inside a system call: otherwise the kernel would take rax for a result and, seeing
    // -ERESTART…, step back.
    call.orig_rax = ~std::uint64_t{0};
    const std::array places{&call.rdi, &call.rsi, &call.rdx, &call.r10, &call.r8, &call.r9};
    for (std::size_t i = 0; i < std::min(arguments.size(), places.size()); ++i)
        *places[i] = arguments[i];
    return call;
}

long callResult(const RegisterSet& registers) noexcept {
    return static_cast<long>(registers.rax);
}

bool wasInterrupted(const RegisterSet& registers) noexcept {
    if (static_cast<long>(registers.rax) != -EINTR || registers.cs != userCode64) return false;
    switch (static_cast<long>(registers.orig_rax)) {
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
    case SYS_semop:
    case SYS_semtimedop:
    case SYS_rt_sigtimedwait:
    case SYS_io_getevents:
    case SYS_io_pgetevents:
    case SYS_io_uring_enter:
    // Sockets with a time-out (SO_RCVTIMEO, SO_SNDTIMEO); without one the kernel restarts these.
    case SYS_read:
    case SYS_readv:
    case SYS_write:
    case SYS_writev:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_recvmmsg:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_sendmmsg:
    case SYS_accept:
    case SYS_accept4:
    case SYS_connect: return true;
    default: return false;
    }
}

void repeatCall(RegisterSet& registers) noexcept {
    registers.rax = registers.orig_rax;
    registers.rip -= syscallInstruction.size();
    registers.orig_rax = ~std::uint64_t{0};
}

namespace {
/// PTRACE_PEEKUSER and POKEUSER take an offset into struct user as an address.
void* debugRegister(std::size_t number) noexcept {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel takes it apart again.
    return reinterpret_cast<void*>(offsetof(struct user, u_debugreg) + number * sizeof(long));
}
constexpr std::size_t status = 6, control = 7;
}  // namespace

bool setBreakpoints(pid_t thread,
                    std::span<const std::uint64_t, breakpointCount> addresses) noexcept {
    // An address of a breakpoint in force cannot be changed to a bad one; so all are off first.
    if (::ptrace(PTRACE_POKEUSER, thread, debugRegister(control), 0) != 0) return false;
    std::uint64_t on = 0;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        if (addresses[i] == 0) continue;
        if (::ptrace(PTRACE_POKEUSER, thread, debugRegister(i), addresses[i]) != 0) return false;
        on |= std::uint64_t{1} << (2 * i);  // L0…L3; kind and length 0: an instruction
    }
    return on == 0 || ::ptrace(PTRACE_POKEUSER, thread, debugRegister(control), on) == 0;
}

int metBreakpoint(pid_t thread) noexcept {
    errno = 0;
    const long met = ::ptrace(PTRACE_PEEKUSER, thread, debugRegister(status), 0);
    if (errno != 0) return -1;
    ::ptrace(PTRACE_POKEUSER, thread, debugRegister(status), 0);
    for (int i = 0; i < static_cast<int>(breakpointCount); ++i) {
        if ((met >> i & 1) != 0) return i;
    }
    return -1;
}

long currentCall(const RegisterSet& registers) noexcept {
    return static_cast<long>(registers.orig_rax);
}

std::uint64_t callArgument(const RegisterSet& registers, unsigned index) noexcept {
    const std::array places{registers.rdi, registers.rsi, registers.rdx,
                            registers.r10, registers.r8,  registers.r9};
    return places[std::min<std::size_t>(index, places.size() - 1)];
}

Registers toRegisters(const RegisterSet& from) {
    Registers to(Arch::x86_64);
    to.set(x64::rax, from.rax);
    to.set(x64::rbx, from.rbx);
    to.set(x64::rcx, from.rcx);
    to.set(x64::rdx, from.rdx);
    to.set(x64::rsi, from.rsi);
    to.set(x64::rdi, from.rdi);
    to.set(x64::rbp, from.rbp);
    to.set(x64::rsp, from.rsp);
    to.set(x64::r8, from.r8);
    to.set(x64::r9, from.r9);
    to.set(x64::r10, from.r10);
    to.set(x64::r11, from.r11);
    to.set(x64::r12, from.r12);
    to.set(x64::r13, from.r13);
    to.set(x64::r14, from.r14);
    to.set(x64::r15, from.r15);
    to.set(x64::rip, from.rip);
    to.set(x64::eflags, from.eflags);
    to.set(x64::cs, from.cs);
    to.set(x64::ss, from.ss);
    to.set(x64::ds, from.ds);
    to.set(x64::es, from.es);
    to.set(x64::fs, from.fs);
    to.set(x64::gs, from.gs);
    to.set(x64::fs_base, from.fs_base);
    to.set(x64::gs_base, from.gs_base);
    to.set(x64::orig_rax, from.orig_rax);
    return to;
}

std::uint64_t threadPointer(const RegisterSet& registers) noexcept {
    return registers.fs_base;
}

std::array<std::uint64_t, 5> cloneArguments(std::uint64_t flags, std::uint64_t stack) noexcept {
    return {flags, stack, 0, 0, 0};  // flags, stack, parent_tid, child_tid, tls
}

}  // namespace icecore::live::native
