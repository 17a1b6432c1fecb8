// x86-64: registers of a traced thread, and how to make it call the kernel.
#pragma once

#include <sys/types.h>
#include <sys/user.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "arch/registers.h"

namespace icecore::live::native {

inline constexpr Arch arch = Arch::x86_64;

/// The general registers as PTRACE_GETREGSET and NT_PRSTATUS lay them out.
using RegisterSet = user_regs_struct;

/// The regset with the whole floating-point and vector state: NT_X86_XSTATE. Its first 512 bytes
/// are the FXSAVE area (Intel SDM volume 1, 13.4).
extern const int extendedRegset;
/// Only the FXSAVE area: what CPUs without XSAVE have.
extern const int floatingPointRegset;
inline constexpr std::size_t floatingPointSize = 512;

// The functions below that take a thread id want it ptrace-stopped by the caller. They neither
// allocate nor lock: the guardian calls them right after fork.

/// False, with errno, when it cannot be had; EPROTO for a thread in 32-bit mode.
bool readRegisters(pid_t thread, RegisterSet& registers) noexcept;
bool writeRegisters(pid_t thread, const RegisterSet& registers) noexcept;

/// Bytes of the instruction that enters the kernel.
inline constexpr std::array<std::byte, 2> syscallInstruction{std::byte{0x0f}, std::byte{0x05}};

/// Registers with which a thread makes one system call at `site`, where a syscall instruction
/// stands. Everything else is zero but the segments and their bases: should nobody hold the
/// thread afterwards, it cannot do harm to memory; it faults.
RegisterSet callRegisters(const RegisterSet& original, std::uint64_t site, long number,
                          std::span<const std::uint64_t> arguments) noexcept;
/// What the system call returned; -4095…-1 are errors.
long callResult(const RegisterSet& registers) noexcept;

/// Whether the thread was in a system call that ended with EINTR without the kernel restarting it
/// by itself, although it could be repeated without harm: epoll_wait, semop, sigtimedwait… (see
/// signal(7), "Interruption of system calls and library functions by stop signals").
bool wasInterrupted(const RegisterSet& registers) noexcept;
/// Makes it repeat that system call.
void repeatCall(RegisterSet& registers) noexcept;

// Breakpoints in debug registers (Intel SDM volume 3, 17.2). They belong to the thread, outlive its
// tracer, and end with exec.
inline constexpr std::size_t breakpointCount = 4;
/// Makes the thread stop (SIGTRAP, TRAP_HWBKPT) before the instructions at these addresses; those
/// that are 0 are off. False, with errno, when the registers cannot be had.
bool setBreakpoints(pid_t thread,
                    std::span<const std::uint64_t, breakpointCount> addresses) noexcept;
/// Which breakpoint a thread in such a stop has met; -1 none. Forgets it.
int metBreakpoint(pid_t thread) noexcept;
/// The system call it is in, or -1.
long currentCall(const RegisterSet& registers) noexcept;
/// Its arguments, 0 to 5; the kernel keeps them until it is over.
std::uint64_t callArgument(const RegisterSet& registers, unsigned index) noexcept;

/// The registers as the model has them.
Registers toRegisters(const RegisterSet& from);
/// fs_base: what the thread pointer is here.
std::uint64_t threadPointer(const RegisterSet& registers) noexcept;

/// Arguments of clone(2) in this architecture's order.
std::array<std::uint64_t, 5> cloneArguments(std::uint64_t flags, std::uint64_t stack) noexcept;
/// AUDIT_ARCH_… of this architecture, as seccomp filters see it.
extern const std::uint32_t auditArch;

}  // namespace icecore::live::native
