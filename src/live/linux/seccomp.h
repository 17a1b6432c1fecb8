// Whether a thread's seccomp filters would let it make a system call, found out without making it:
// a filter may well answer by killing the process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>

namespace icecore::live::seccomp {

/// SECCOMP_RET_…, strictest first (seccomp(2)); the kernel takes the strictest of all filters.
enum class Verdict : std::uint8_t {
    allowed,
    refused,  ///< an errno, a tracer or a supervisor would answer
    deadly,   ///< it would be killed or get SIGSYS
    unknown,  ///< it has filters and we may not read them (CAP_SYS_ADMIN)
};

/// One instruction of a filter: struct sock_filter, linux/filter.h.
struct Instruction {
    std::uint16_t code;
    std::uint8_t jumpTrue, jumpFalse;
    std::uint32_t k;
};
static_assert(sizeof(Instruction) == 8);

/// What filters look at: struct seccomp_data, linux/seccomp.h.
struct Data {
    std::int32_t number;
    std::uint32_t architecture;
    std::uint64_t instructionPointer;
    std::uint64_t arguments[6];
};
static_assert(sizeof(Data) == 64);

/// Runs one filter (classic BPF as the kernel's checker lets through). SECCOMP_RET_KILL_PROCESS
/// for a program that is no such thing.
std::uint32_t run(std::span<const Instruction> program, const Data& data) noexcept;

/// Of all filters of a ptrace-stopped thread. Neither allocates nor locks.
Verdict verdict(pid_t thread, const Data& data) noexcept;

}  // namespace icecore::live::seccomp
