#include "unwind/prologue_finder.h"

#include <array>

namespace icecore {

namespace {

/// The step when a call stands before the return address.
Step verified(const WalkFrame& frame, const Walk& walk, std::optional<std::uint64_t> returnAddress,
              std::uint64_t sp, std::optional<std::uint64_t> fp) {
    const Arch arch = frame.registers.arch();
    if (!returnAddress) return {};
    const std::uint64_t pc = stripPointer(arch, *returnAddress);
    if (!walk.code.callBefore(arch, pc)) return {};
    return guessedCaller(frame, Trust::frame_pointer, pc, sp, fp);
}

/// push rbp; mov rbp, rsp … ret, with or without endbr64 before.
Step x64Prologue(const WalkFrame& frame, Walk& walk, std::uint64_t start) {
    const Arch arch = Arch::x86_64;
    const std::uint64_t pc = frame.pc();
    const std::uint64_t sp = frame.sp();
    const auto fp = frame.registers.get(x64::rbp);

    std::array<std::byte, 8> raw{};
    const auto at = [&](std::size_t i) { return std::to_integer<std::uint8_t>(raw[i]); };
    if (walk.code.read(pc, std::span(raw).first(2)) == 2 &&
        (at(0) == 0xc3 || at(0) == 0xc2 || (at(0) == 0xf3 && at(1) == 0xc3)))
        return verified(frame, walk, walk.word(sp, arch), sp + 8, fp);

    raw = {};
    if (walk.code.read(start, raw) < 5) return {};
    const bool marked = at(0) == 0xf3 && at(1) == 0x0f && at(2) == 0x1e && at(3) == 0xfa;
    const std::size_t body = marked ? 4 : 0;
    if (pc - start <= body) return verified(frame, walk, walk.word(sp, arch), sp + 8, fp);
    if (at(body) != 0x55) return {};
    if (pc - start == body + 1)  // rbp lies pushed on top of the return address
        return verified(frame, walk, walk.word(sp + 8, arch), sp + 16, walk.word(sp, arch));
    const bool setsFrame = (at(body + 1) == 0x48 && at(body + 2) == 0x89 && at(body + 3) == 0xe5) ||
                           (at(body + 1) == 0x48 && at(body + 2) == 0x8b && at(body + 3) == 0xec);
    if (!setsFrame || !fp || !walk.stack.contains(Range::ofSize(*fp, 16)) || *fp < sp) return {};
    return verified(frame, walk, walk.word(*fp + 8, arch), *fp + 16, walk.word(*fp, arch));
}

/// What an arm64 function has done between its start and pc, read in a straight line.
struct Arm64Progress {
    std::uint64_t lowered = 0;  ///< bytes the stack pointer went down
    bool savedLink = false;
    bool frameRecord = false;  ///< fp points at the saved fp and lr
};

Arm64Progress arm64Progress(const Walk& walk, std::uint64_t start, std::uint64_t pc) {
    constexpr std::uint64_t mostInstructions = 64;  // prologues end long before
    Arm64Progress progress;
    for (std::uint64_t at = start; at < pc && at - start < 4 * mostInstructions; at += 4) {
        std::array<std::byte, 4> raw;
        if (walk.code.read(at, raw) != raw.size()) break;
        const auto word = loadInteger<std::uint32_t>(raw.data());
        const std::uint32_t first = word & 0x1f;
        const std::uint32_t second = word >> 10 & 0x1f;
        const bool toStack = (word >> 5 & 0x1f) == 31;
        if ((word & 0xff8003ffU) == 0xd10003ffU) {  // sub sp, sp, #imm
            progress.lowered += std::uint64_t{word >> 10 & 0xfffU} << ((word >> 22 & 1U) * 12);
        } else if ((word & 0xffc00000U) == 0xa9800000U && toStack) {  // stp …, [sp, #imm]!
            progress.lowered += (0x80U - (word >> 15 & 0x7fU)) % 0x80U * 8;
            if (first == 30 || second == 30) progress.savedLink = true;
        } else if ((word & 0xffc00000U) == 0xa9000000U && toStack) {  // stp …, [sp, #imm]
            if (first == 30 || second == 30) progress.savedLink = true;
        } else if ((word & 0xffe00c00U) == 0xf8000c00U && toStack) {  // str x, [sp, #imm]!
            progress.lowered += (0x200U - (word >> 12 & 0x1ffU)) % 0x200U;
            if (first == 30) progress.savedLink = true;
        } else if ((word & 0xffc00000U) == 0xf9000000U && toStack) {  // str x, [sp, #imm]
            if (first == 30) progress.savedLink = true;
        } else if ((word & 0xffc003ffU) == 0x910003fdU) {  // add x29, sp, #imm; mov x29, sp
            progress.frameRecord = true;
        }
    }
    return progress;
}

Step arm64Prologue(const WalkFrame& frame, Walk& walk, std::uint64_t start) {
    const Arch arch = Arch::arm64;
    const auto fp = frame.registers.get(arm64::fp);
    const auto lr = frame.registers.get(arm64::lr);
    std::array<std::byte, 4> raw;
    if (walk.code.read(frame.pc(), raw) == raw.size()) {
        const auto word = loadInteger<std::uint32_t>(raw.data());
        // ret, retaa, retab: everything is restored.
        if (word == 0xd65f03c0U || word == 0xd65f0bffU || word == 0xd65f0fffU)
            return verified(frame, walk, lr, frame.sp(), fp);
    }
    const Arm64Progress progress = arm64Progress(walk, start, frame.pc());
    if (progress.savedLink && progress.frameRecord) {
        if (!fp || !walk.stack.contains(Range::ofSize(*fp, 16)) || *fp < frame.sp()) return {};
        return verified(frame, walk, walk.word(*fp + 8, arch), *fp + 16, walk.word(*fp, arch));
    }
    if (progress.savedLink) return {};  // where, only a deeper analysis would tell
    return verified(frame, walk, lr, frame.sp() + progress.lowered, fp);
}

}  // namespace

Step PrologueFinder::find(const WalkFrame& frame, Walk& walk) const {
    if (!frame.innermost) return {};
    const auto start = walk.code.functionStart(frame.pc());
    if (!start) return {};
    switch (frame.registers.arch()) {
    case Arch::x86_64: return x64Prologue(frame, walk, *start);
    case Arch::arm64: return arm64Prologue(frame, walk, *start);
    default: return {};
    }
}

}  // namespace icecore
