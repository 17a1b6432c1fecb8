// ARM64 unwind information of PE images: what its codes undo, in prologues, bodies and epilogues.
// Source: as of pe_codes_arm64.h; the system's own frames are those of winnt.h.
#include <array>
#include <utility>
#include <vector>

#include "unwind/pe_codes_arm64.h"
#include "unwind/pe_finder.h"

namespace icecore {

namespace {

using Code = Arm64UnwindCode;
using Kind = Code::Kind;

/// Undoes codes, from the given one on.
class Undo {
public:
    Undo(const WalkFrame& frame, Walk& walk) : walk_(walk), caller_(frame.registers) {}

    bool run(std::span<const Code> codes, bool epilogue);
    Step finish();
    [[nodiscard]] const Step& failure() const { return failure_; }

private:
    bool load(std::uint64_t address, RegisterId into);
    bool pair(const Code& code, RegisterId second);
    bool one(const Code& code);
    bool context();

    Walk& walk_;
    Registers caller_;
    std::uint32_t pending_ = 0;  ///< save_next codes seen
    bool exact_ = false;         ///< pc was restored, and is no return address
    Step failure_;
};

bool Undo::load(std::uint64_t address, RegisterId into) {
    const auto value = walk_.word(address, Arch::arm64);
    if (!value) {
        failure_ = Step::unreadable(address);
        return false;
    }
    caller_.set(into, *value);
    return true;
}

bool Undo::pair(const Code& code, RegisterId second) {
    const std::uint64_t at = caller_.sp() + code.offset;
    const auto first =
        code.kind == Kind::save_frame ? RegisterId{arm64::fp} : static_cast<RegisterId>(code.reg);
    if (!load(at, first) || !load(at + 8, second)) return false;
    for (std::uint32_t i = 1; i <= pending_; ++i) {
        const auto reg = static_cast<RegisterId>(first + 2 * i);
        if (code.kind != Kind::save_pair || reg + 1 > arm64::lr) return false;
        if (!load(at + 16 * i, reg) || !load(at + 16 * i + 8, static_cast<RegisterId>(reg + 1)))
            return false;
    }
    pending_ = 0;
    return true;
}

/// CONTEXT of winnt.h for ARM64: flags and cpsr, x0 … x28, fp, lr, sp, pc.
bool Undo::context() {
    const std::uint64_t at = caller_.sp() + 8;
    exact_ = true;
    for (RegisterId i = 0; i <= arm64::lr; ++i) {
        if (!load(at + i * 8U, i)) return false;
    }
    return load(at + 32 * 8, arm64::pc) && load(at + 31 * 8, arm64::sp);
}

bool Undo::one(const Code& code) {
    const std::uint64_t sp = caller_.sp();
    switch (code.kind) {
    case Kind::save_one:
        if (code.reg > arm64::lr || !load(sp + code.offset, code.reg)) return false;
        break;
    case Kind::save_pair:
        if (code.reg >= arm64::lr || !pair(code, static_cast<RegisterId>(code.reg + 1)))
            return false;
        break;
    case Kind::save_with_link:
    case Kind::save_frame:
        if (code.reg > arm64::lr || !pair(code, arm64::lr)) return false;
        break;
    case Kind::save_next: ++pending_; return true;
    case Kind::set_frame: {
        const auto fp = caller_.get(arm64::fp);
        if (!fp) return false;
        caller_.set(arm64::sp, *fp - code.size);
        return true;
    }
    case Kind::machine_frame: {
        exact_ = true;
        return load(sp + 8, arm64::pc) && load(sp, arm64::sp);
    }
    case Kind::trap_frame: {
        // Sp, Lr, Fp and Pc of KTRAP_FRAME (formats/winkernel/crash_context.cpp).
        exact_ = true;
        return load(sp + 0x148, arm64::pc) && load(sp + 0x140, arm64::fp) &&
               load(sp + 0x138, arm64::lr) && load(sp + 0x98, arm64::sp);
    }
    case Kind::context: return context();
    case Kind::unknown: return false;
    case Kind::nothing: pending_ = 0; break;  // save_next of vector registers
    default: break;
    }
    caller_.set(arm64::sp, sp + code.size);
    return true;
}

bool Undo::run(std::span<const Code> codes, bool epilogue) {
    for (const Code& code : codes) {
        if (code.kind == Kind::end) break;
        if (code.kind == Kind::end_of_part) {
            if (epilogue) break;
            continue;
        }
        if (!one(code)) return false;
    }
    return true;
}

Step Undo::finish() {
    if (!exact_) {
        const auto link = caller_.get(arm64::lr);
        if (!link) return {};
        caller_.set(arm64::pc, stripPointer(Arch::arm64, *link));
    }
    Step step;
    step.kind = Step::Kind::caller;
    step.trust = Trust::unwind_info;
    step.fromSignalFrame = exact_;
    step.caller = caller_;
    return step;
}

/// The epilogue that `into` is in, or null.
const Arm64UnwindList::Epilogue* epilogueAt(const Arm64UnwindList& list, std::uint64_t into) {
    for (const auto& epilogue : list.epilogues) {
        const std::uint32_t bytes = epilogue.instructions * arm64InstructionSize;
        if (into >= epilogue.begin && into - epilogue.begin < bytes) return &epilogue;
    }
    return nullptr;
}

}  // namespace

Step peStepArm64(const PeTables& tables, const WalkFrame& frame, Walk& walk) {
    const auto found = tables.findArm64(frame.lookupPc());
    if (!found.covered) return {};
    std::optional<Arm64UnwindList> list;
    std::uint64_t into = 0;
    if (found.function) {
        const std::uint64_t begin = found.function->base + found.function->begin;
        list = readArm64Unwind(*found.function, walk.code);
        if (!list) return {};
        // A call that never returns may be the last instruction: its return address is the end.
        if (frame.lookupPc() - begin >= list->length) list.reset();
        into = frame.pc() - begin;
    }
    Undo undo(frame, walk);
    if (!list) {
        // A leaf has no entry, and calls nobody: only the innermost frame can be one.
        const bool leaf = !frame.pcIsReturnAddress &&
                          walk.code.executable(frame.pc()) == CodeMap::Executable::yes;
        return leaf ? undo.finish() : Step{};
    }
    std::span<const Code> codes = list->codes;
    const std::uint64_t done = into / arm64InstructionSize;
    const auto* epilogue = frame.pcIsReturnAddress ? nullptr : epilogueAt(*list, into);
    if (epilogue != nullptr) {
        // What the epilogue has undone already is skipped; codes without a counterpart are none
        // of its instructions.
        std::uint64_t skip = done - epilogue->begin / arm64InstructionSize;
        std::vector<Code> left;
        for (const Code& code : codes.subspan(epilogue->first)) {
            if (!code.inEpilogue) continue;
            if (skip > 0 && code.kind != Kind::end && code.kind != Kind::end_of_part) {
                --skip;
                continue;
            }
            left.push_back(code);
        }
        return undo.run(left, true) ? undo.finish() : undo.failure();
    }
    // Inside the prologue its later instructions, the first codes, have not run.
    if (done < list->prologue) codes = codes.subspan(list->prologue - done);
    return undo.run(codes, false) ? undo.finish() : undo.failure();
}

}  // namespace icecore
