#include "unwind/prologue_finder.h"

#include <algorithm>
#include <array>

namespace icecore {

namespace {

/// The step when the call before the return address leads to the frame's function.
Step verified(const WalkFrame& frame, const Walk& walk, std::optional<std::uint64_t> returnAddress,
              std::uint64_t sp, std::optional<std::uint64_t> fp,
              CodeMap::Leads atLeast = CodeMap::Leads::perhaps) {
    const Arch arch = frame.registers.arch();
    if (!returnAddress) return {};
    const std::uint64_t pc = stripPointer(arch, *returnAddress);
    const auto call = walk.code.callBefore(arch, pc);
    if (!call || walk.code.leadsTo(arch, *call, frame.lookupPc()) < atLeast) return {};
    return guessedCaller(frame, Trust::frame_pointer, pc, sp, fp);
}

/// push rbp; mov rbp, rsp … ret, with or without endbr64 before.
Step x64Prologue(const WalkFrame& frame, Walk& walk, std::uint64_t start) {
    const Arch arch = Arch::x86_64;
    const std::uint64_t pc = frame.pc();
    const std::uint64_t sp = frame.sp();
    const auto fp = frame.registers.get(x64::rbp);

    if (!frame.innermost) return {};  // then rbp is set up, which is FramePointerFinder's matter

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

/// What an arm64 function has done between its start and pc, read in a straight line. Epilogues on
/// the way are passed over, since only what lowers the stack counts.
struct Arm64Progress {
    std::int64_t lowered = 0;  ///< bytes the stack pointer went down
    /// Where lr and fp were saved, counted from the stack pointer at the start.
    std::optional<std::int64_t> link, framePointer;
    bool frameRecord = false;  ///< fp points at the saved fp and lr

    void saved(std::uint32_t reg, std::int64_t where) {
        if (reg == arm64::lr) link = where;
        if (reg == arm64::fp) framePointer = where;
    }
};

/// `bits` wide, sign-extended.
std::int64_t signedField(std::uint32_t value, unsigned bits) {
    const std::int64_t sign = std::int64_t{1} << (bits - 1);
    const auto field = static_cast<std::int64_t>(value & ((std::uint32_t{1} << bits) - 1));
    return (field ^ sign) - sign;
}

// Encodings: Arm ARM C6.2 (SUB immediate, STP, STR immediate, ADD immediate).
void arm64Step(std::uint32_t word, Arm64Progress& progress) {
    const std::uint32_t first = word & 0x1f;
    const std::uint32_t second = word >> 10 & 0x1f;
    const bool toStack = (word >> 5 & 0x1f) == arm64::sp;
    if ((word & 0xff8003ffU) == 0xd10003ffU) {  // sub sp, sp, #imm
        progress.lowered += std::int64_t{word >> 10 & 0xfffU} << ((word >> 22 & 1U) * 12);
    } else if ((word & 0xffc003ffU) == 0x910003fdU) {  // add x29, sp, #imm; mov x29, sp
        progress.frameRecord = true;
    } else if (!toStack) {
        return;
    } else if ((word & 0xfe400000U) == 0xa8000000U) {  // stp, any addressing
        const std::int64_t offset = signedField(word >> 15, 7) * 8;
        const std::uint32_t mode = word >> 23 & 3U;  // 1 post-indexed, 2 offset, 3 pre-indexed
        if (mode == 3) progress.lowered -= offset;
        const std::int64_t at = (mode == 2 ? offset : 0) - progress.lowered;
        progress.saved(first, at);
        progress.saved(second, at + 8);
    } else if ((word & 0xffe00c00U) == 0xf8000c00U) {  // str x, [sp, #imm]!
        progress.lowered -= signedField(word >> 12, 9);
        progress.saved(first, -progress.lowered);
    } else if ((word & 0xffc00000U) == 0xf9000000U) {  // str x, [sp, #imm]
        progress.saved(first, std::int64_t{word >> 10 & 0xfffU} * 8 - progress.lowered);
    }
}

Arm64Progress arm64Progress(const Walk& walk, std::uint64_t start, std::uint64_t pc) {
    constexpr std::uint64_t mostBytes = 256;  // prologues end long before
    std::array<std::byte, mostBytes> code;
    const auto wanted =
        std::span(code).first(static_cast<std::size_t>(std::min(pc - start, mostBytes)));
    const std::size_t got = walk.code.read(start, wanted);
    Arm64Progress progress;
    for (std::size_t at = 0; at + 4 <= got; at += 4)
        arm64Step(loadInteger<std::uint32_t>(code.data() + at), progress);
    return progress;
}

Step arm64Prologue(const WalkFrame& frame, Walk& walk, std::uint64_t start) {
    const Arch arch = Arch::arm64;
    const std::uint64_t sp = frame.sp();
    const auto fp = frame.registers.get(arm64::fp);
    const auto lr = frame.registers.get(arm64::lr);
    std::array<std::byte, 4> raw;
    if (frame.innermost && walk.code.read(frame.pc(), raw) == raw.size()) {
        const auto word = loadInteger<std::uint32_t>(raw.data());
        // ret, retaa, retab: everything is restored.
        if (word == 0xd65f03c0U || word == 0xd65f0bffU || word == 0xd65f0fffU)
            return verified(frame, walk, lr, sp, fp);
    }
    const Arm64Progress progress = arm64Progress(walk, start, frame.lookupPc());
    const std::uint64_t cfa = sp + static_cast<std::uint64_t>(progress.lowered);
    const auto saved = [&](std::optional<std::int64_t> where) -> std::optional<std::uint64_t> {
        if (!where) return std::nullopt;
        return walk.word(cfa + static_cast<std::uint64_t>(*where), arch);
    };
    if (!progress.link) return frame.innermost ? verified(frame, walk, lr, cfa, fp) : Step{};
    Step step;
    if (!progress.frameRecord) {
        const auto callersFp = progress.framePointer ? saved(progress.framePointer) : fp;
        step = verified(frame, walk, saved(progress.link), cfa, callersFp);
    } else if (fp && walk.stack.contains(Range::ofSize(*fp, 16)) && *fp >= sp) {
        step = verified(frame, walk, walk.word(*fp + 8, arch), *fp + 16, walk.word(*fp, arch));
    }
    // In an epilogue they are restored already.
    if (step.kind == Step::Kind::none && frame.innermost)
        step = verified(frame, walk, lr, sp, fp, CodeMap::Leads::surely);
    return step;
}

}  // namespace

Step PrologueFinder::find(const WalkFrame& frame, Walk& walk) const {
    const auto start = walk.code.functionStart(frame.lookupPc());
    if (!start) return {};
    switch (frame.registers.arch()) {
    case Arch::x86_64: return x64Prologue(frame, walk, *start);
    case Arch::arm64: return arm64Prologue(frame, walk, *start);
    default: return {};
    }
}

}  // namespace icecore
