// The notes of Linux cores as they lie in the file, for 32 and 64 bits.
// Sources: Linux' include/uapi/linux/elfcore.h and include/linux/elfcore-compat.h (prstatus,
// prpsinfo), arch/*/include/asm/elf.h and user.h (registers), fs/binfmt_elf.c (NT_FILE, order),
// include/uapi/asm-generic/siginfo.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bytes/endian.h"

namespace icecore::elfcore {

struct SignalNumbers {
    Le32 number, code, error;
};

template <class Word>
struct TimeValue {
    Word seconds, microseconds;
};

/// NT_PRSTATUS up to the registers; they are followed by pr_fpvalid (four bytes).
struct PrStatus64 {
    SignalNumbers info;
    Le16 currentSignal;
    std::byte padding[2];
    Le64 pending, held;
    Le32 pid, parentPid, processGroup, session;
    TimeValue<Le64> user, system, childrenUser, childrenSystem;
};
static_assert(sizeof(PrStatus64) == 112 && offsetof(PrStatus64, pid) == 32);
struct PrStatus32 {
    SignalNumbers info;
    Le16 currentSignal;
    std::byte padding[2];
    Le32 pending, held;
    Le32 pid, parentPid, processGroup, session;
    TimeValue<Le32> user, system, childrenUser, childrenSystem;
};
static_assert(sizeof(PrStatus32) == 72 && offsetof(PrStatus32, pid) == 24);

/// NT_PRPSINFO.
struct PrPsInfo64 {
    std::uint8_t state = 0;
    char stateLetter = 0;
    std::uint8_t zombie = 0;
    std::int8_t nice = 0;
    std::byte padding[4];
    Le64 flags;
    Le32 uid, gid, pid, parentPid, processGroup, session;
    char name[16];
    char arguments[80];
};
static_assert(sizeof(PrPsInfo64) == 136 && offsetof(PrPsInfo64, name) == 40);
struct PrPsInfo32 {
    std::uint8_t state = 0;
    char stateLetter = 0;
    std::uint8_t zombie = 0;
    std::int8_t nice = 0;
    Le32 flags;
    Le16 uid, gid;
    Le32 pid, parentPid, processGroup, session;
    char name[16];
    char arguments[80];
};
static_assert(sizeof(PrPsInfo32) == 124 && offsetof(PrPsInfo32, name) == 28);

/// siginfo_t: three numbers, then (aligned to a pointer) what depends on the signal: si_addr, or
/// si_pid and si_uid.
inline constexpr std::size_t signalInfoSize = 128;
inline constexpr std::size_t signalDetail64 = 16, signalDetail32 = 12;

/// NT_FILE: count and unit of the offsets, count × {begin, end, offset}, then the names, each
/// ended by NUL; all numbers are of pointer size.

/// x86-64 user_fpregs_struct (FXSAVE), arm64 user_fpsimd_state.
inline constexpr std::size_t floatingPointX64 = 512, floatingPointArm64 = 528;

}  // namespace icecore::elfcore
