#include "unwind/signal_frame_finder.h"

#include <algorithm>
#include <array>

namespace icecore {

namespace {

// Linux, arch/x86/include/uapi/asm/{ucontext,sigcontext}.h: the handler's return has popped its
// address, so rsp points at the ucontext; general registers follow 40 bytes later in this order.
constexpr std::uint64_t x64ContextOffset = 40;
constexpr std::array<RegisterId, 18> x64ContextOrder = {
    x64::r8,  x64::r9,  x64::r10, x64::r11, x64::r12, x64::r13, x64::r14, x64::r15, x64::rdi,
    x64::rsi, x64::rbp, x64::rbx, x64::rdx, x64::rax, x64::rcx, x64::rsp, x64::rip, x64::eflags};

// Linux, arch/arm64/kernel/signal.c (struct rt_sigframe) and uapi/asm/{ucontext,sigcontext}.h: sp
// points at siginfo (128 bytes), then ucontext, whose sigcontext begins at 176 with the fault
// address; then x0 … x30, sp, pc, pstate.
constexpr std::uint64_t arm64ContextOffset = 128 + 176 + 8;
constexpr std::size_t arm64ContextCount = 34;
static_assert(arm64::sp == 31 && arm64::pc == 32 && arm64::cpsr == 33);

bool codeIs(const Walk& walk, std::uint64_t pc, std::span<const std::uint8_t> expected) {
    std::array<std::byte, 16> code;
    const auto bytes = std::span(code).first(expected.size());
    if (walk.code.read(pc, bytes) != expected.size()) return false;
    return std::ranges::equal(bytes, expected, [](std::byte have, std::uint8_t want) {
        return std::to_integer<std::uint8_t>(have) == want;
    });
}

bool isTrampoline(const Walk& walk, Arch arch, std::uint64_t pc) {
    if (arch == Arch::x86_64) {
        // mov $15, %rax; syscall
        constexpr std::array<std::uint8_t, 9> code = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
        return codeIs(walk, pc, code);
    }
    if (arch == Arch::arm64) {
        // mov x8, #139; svc #0
        constexpr std::array<std::uint8_t, 8> code = {0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4};
        return codeIs(walk, pc, code);
    }
    return false;
}

Step restore(const WalkFrame& frame, Walk& walk, std::uint64_t at,
             std::span<const RegisterId> order) {
    Step step;
    step.kind = Step::Kind::caller;
    step.trust = Trust::context;
    step.fromSignalFrame = true;
    step.caller = frame.registers;
    for (const RegisterId reg : order) {
        const auto value = walk.memory.load(at, 8);
        if (!value) return Step::unreadable(at);
        step.caller.set(reg, *value);
        at += 8;
    }
    return step;
}

}  // namespace

Step SignalFrameFinder::find(const WalkFrame& frame, Walk& walk) const {
    const Arch arch = frame.registers.arch();
    if (!isTrampoline(walk, arch, frame.pc())) return {};
    if (arch == Arch::x86_64)
        return restore(frame, walk, frame.sp() + x64ContextOffset, x64ContextOrder);
    std::array<RegisterId, arm64ContextCount> order;
    for (std::size_t i = 0; i < order.size(); ++i)
        order[i] = static_cast<RegisterId>(i);
    return restore(frame, walk, frame.sp() + arm64ContextOffset, order);
}

}  // namespace icecore
