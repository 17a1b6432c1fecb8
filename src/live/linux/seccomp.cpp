#include "live/linux/seccomp.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "live/linux/traced_thread.h"

namespace icecore::live::seccomp {

namespace {

/// BPF_ALU: linux/bpf_common.h.
bool calculate(std::uint16_t operation, std::uint32_t& a, std::uint32_t operand) noexcept {
    switch (operation) {
    case BPF_ADD: a += operand; return true;
    case BPF_SUB: a -= operand; return true;
    case BPF_MUL: a *= operand; return true;
    case BPF_DIV: return operand != 0 && (a /= operand, true);
    case BPF_MOD: return operand != 0 && (a %= operand, true);
    case BPF_OR: a |= operand; return true;
    case BPF_AND: a &= operand; return true;
    case BPF_XOR: a ^= operand; return true;
    case BPF_LSH: a = operand < 32 ? a << operand : 0; return true;
    case BPF_RSH: a = operand < 32 ? a >> operand : 0; return true;
    case BPF_NEG: a = ~a + 1; return true;
    default: return false;
    }
}

bool holds(std::uint16_t operation, std::uint32_t a, std::uint32_t operand) noexcept {
    switch (operation) {
    case BPF_JEQ: return a == operand;
    case BPF_JGT: return a > operand;
    case BPF_JGE: return a >= operand;
    default: return (a & operand) != 0;  // BPF_JSET
    }
}

}  // namespace

std::uint32_t run(std::span<const Instruction> program, const Data& data) noexcept {
    constexpr std::uint32_t broken = SECCOMP_RET_KILL_PROCESS;
    std::array<std::uint32_t, BPF_MEMWORDS> memory{};
    std::uint32_t a = 0;
    std::uint32_t x = 0;
    // Jumps only go forward, so every step moves on and the loop ends.
    for (std::size_t at = 0; at < program.size(); ++at) {
        const Instruction& step = program[at];
        const std::uint16_t code = step.code;
        const bool fromX = BPF_SRC(code) == BPF_X;
        switch (BPF_CLASS(code)) {
        case BPF_LD:
        case BPF_LDX: {
            std::uint32_t value = 0;
            switch (BPF_MODE(code)) {
            case BPF_IMM: value = step.k; break;
            case BPF_LEN: value = sizeof(Data); break;
            case BPF_MEM:
                if (step.k >= memory.size()) return broken;
                value = memory[step.k];
                break;
            case BPF_ABS:
                if (step.k > sizeof(Data) - 4 || step.k % 4 != 0) return broken;
                std::memcpy(&value, reinterpret_cast<const char*>(&data) + step.k, 4);
                break;
            default: return broken;
            }
            (BPF_CLASS(code) == BPF_LD ? a : x) = value;
            break;
        }
        case BPF_ST:
        case BPF_STX:
            if (step.k >= memory.size()) return broken;
            memory[step.k] = BPF_CLASS(code) == BPF_ST ? a : x;
            break;
        case BPF_ALU:
            if (!calculate(BPF_OP(code), a, fromX ? x : step.k)) return broken;
            break;
        case BPF_JMP:
            if (BPF_OP(code) == BPF_JA)
                at += step.k;
            else
                at += holds(BPF_OP(code), a, fromX ? x : step.k) ? step.jumpTrue : step.jumpFalse;
            break;
        case BPF_RET: return BPF_RVAL(code) == BPF_A ? a : step.k;
        default:  // BPF_MISC
            if (BPF_MISCOP(code) == BPF_TAX)
                x = a;
            else
                a = x;
        }
    }
    return broken;
}

Verdict verdict(pid_t thread, const Data& data) noexcept {
    const int mode = traced::seccompMode(thread);
    if (mode == SECCOMP_MODE_DISABLED) return Verdict::allowed;
    if (mode == SECCOMP_MODE_STRICT) return Verdict::deadly;
    static Instruction program[BPF_MAXINSNS];  // the guardian has one thread
    auto strictest = static_cast<std::int32_t>(SECCOMP_RET_ALLOW);
    for (unsigned long index = 0;; ++index) {
        // PTRACE_SECCOMP_GET_FILTER: the number of instructions, or ENOENT behind the last filter.
        const long count = ::ptrace(PTRACE_SECCOMP_GET_FILTER, thread, index, nullptr);
        if (count < 0 && errno == ENOENT) break;
        if (count <= 0 || count > BPF_MAXINSNS) return Verdict::unknown;
        if (::ptrace(PTRACE_SECCOMP_GET_FILTER, thread, index, program) != count)
            return Verdict::unknown;
        const std::uint32_t action = run({program, static_cast<std::size_t>(count)}, data);
        strictest =
            std::min(strictest, static_cast<std::int32_t>(action & SECCOMP_RET_ACTION_FULL));
    }
    switch (static_cast<std::uint32_t>(strictest)) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG: return Verdict::allowed;
    case SECCOMP_RET_KILL_PROCESS:
    case SECCOMP_RET_KILL_THREAD:
    case SECCOMP_RET_TRAP: return Verdict::deadly;
    default: return Verdict::refused;
    }
}

}  // namespace icecore::live::seccomp
