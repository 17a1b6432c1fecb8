// The end of a function on x64 Windows.
// Source: "x64 prolog and epilog" (learn.microsoft.com/cpp/build/prolog-and-epilog): an epilogue is
// `add rsp, constant` or `lea rsp, [frame register + constant]`, then pops of 8-byte registers,
// then a return or a jump out of the function. It has no other form, so that it can be recognised
// by its code; unwinding in it is running it.
#include <array>

#include "unwind/pe_finder.h"

namespace icecore {

namespace {

/// Sixteen pops of two bytes, a `lea` and a jump fit.
constexpr std::size_t longestEpilogue = 64;

class EpilogueRun {
public:
    EpilogueRun(const PeTables& tables, const PeFunction& function, const WalkFrame& frame,
                Walk& walk)
        : tables_(tables),
          function_(function),
          walk_(walk),
          pc_(frame.pc()),
          caller_(frame.registers) {
        size_ = walk.code.read(pc_, code_);
    }

    std::optional<Step> run() {
        freeStack();
        while (pop()) {
            if (failed_) return failure_;
        }
        if (!leaves()) return std::nullopt;
        const std::uint64_t sp = caller_.sp();
        const auto back = walk_.word(sp, Arch::x86_64);
        if (!back) return Step::unreadable(sp);
        caller_.set(x64::rip, *back);
        caller_.set(x64::rsp, sp + 8);
        Step step;
        step.kind = Step::Kind::caller;
        step.trust = Trust::unwind_info;
        step.caller = caller_;
        return step;
    }

private:
    [[nodiscard]] unsigned at(std::size_t i) const {
        return at_ + i < size_ ? std::to_integer<unsigned>(code_[at_ + i]) : 0x100U;
    }
    [[nodiscard]] std::int64_t signed8(std::size_t i) const {
        return static_cast<std::int8_t>(at(i));
    }
    [[nodiscard]] std::int64_t signed32(std::size_t i) const {
        return loadInteger<std::int32_t>(code_.data() + at_ + i);
    }
    [[nodiscard]] bool has(std::size_t bytes) const { return at_ + bytes <= size_; }

    static RegisterId number(unsigned low, bool high) {
        constexpr std::array<RegisterId, 16> order = {
            x64::rax, x64::rcx, x64::rdx, x64::rbx, x64::rsp, x64::rbp, x64::rsi, x64::rdi,
            x64::r8,  x64::r9,  x64::r10, x64::r11, x64::r12, x64::r13, x64::r14, x64::r15};
        return order[low + (high ? 8U : 0U)];
    }

    void freeStack() {
        if ((at(0) & 0xfeU) != 0x48) return;
        const bool high = (at(0) & 1U) != 0;
        if (at(0) == 0x48 && at(1) == 0x83 && at(2) == 0xc4 && has(4)) {  // add rsp, imm8
            caller_.set(x64::rsp, caller_.sp() + static_cast<std::uint64_t>(signed8(3)));
            at_ += 4;
        } else if (at(0) == 0x48 && at(1) == 0x81 && at(2) == 0xc4 && has(7)) {  // add rsp, imm32
            caller_.set(x64::rsp, caller_.sp() + static_cast<std::uint64_t>(signed32(3)));
            at_ += 7;
        } else if (at(1) == 0x8d && (at(2) >> 3U & 7U) == 4) {  // lea rsp, [register + constant]
            const unsigned mode = at(2) >> 6U;
            const unsigned base = at(2) & 7U;
            if (base == 4 || (mode != 1 && mode != 2) || !has(mode == 1 ? 4 : 7)) return;
            const auto frame = caller_.get(number(base, high));
            if (!frame) return;
            const std::int64_t offset = mode == 1 ? signed8(3) : signed32(3);
            caller_.set(x64::rsp, *frame + static_cast<std::uint64_t>(offset));
            at_ += mode == 1 ? 4 : 7;
        }
    }

    bool pop() {
        const bool high = at(0) == 0x41;
        const unsigned opcode = at(high ? 1 : 0);
        if (opcode < 0x58 || opcode > 0x5f) return false;
        const std::uint64_t sp = caller_.sp();
        const auto value = walk_.word(sp, Arch::x86_64);
        if (!value) {
            failed_ = true;
            failure_ = Step::unreadable(sp);
            return true;
        }
        caller_.set(x64::rsp, sp + 8);
        caller_.set(number(opcode & 7U, high), *value);
        at_ += high ? 2 : 1;
        return true;
    }

    /// ret, rep ret, or a jump to another function.
    [[nodiscard]] bool leaves() const {
        if (at(0) == 0xc3) return true;
        if (at(0) == 0xc2 && has(3)) return true;
        if (at(0) == 0xf3 && at(1) == 0xc3) return true;
        const std::uint64_t here = pc_ + at_;
        if (at(0) == 0xeb && has(2))
            return leavesTo(here + 2 + static_cast<std::uint64_t>(signed8(1)));
        if (at(0) == 0xe9 && has(5))
            return leavesTo(here + 5 + static_cast<std::uint64_t>(signed32(1)));
        // jmp qword ptr [rip + x], and with REX.W any jump through memory or a register: tail
        // calls are marked by that prefix, jumps inside a function (switch) have none.
        if (at(0) == 0xff && at(1) == 0x25) return true;
        return (at(0) & 0xf8U) == 0x48 && at(1) == 0xff && (at(2) >> 3U & 7U) == 4;
    }

    /// Not to a part of this very function that the compiler moved away.
    [[nodiscard]] bool leavesTo(std::uint64_t target) const {
        const std::uint64_t begin = function_.base + function_.begin;
        if (target == begin) return at_ != 0;
        if (target > begin && target < function_.base + function_.end) return false;
        const auto found = tables_.findX64(target);
        return !found.function || found.function->base + found.function->begin == target;
    }

    const PeTables& tables_;
    const PeFunction& function_;
    Walk& walk_;
    std::uint64_t pc_;
    Registers caller_;
    std::array<std::byte, longestEpilogue> code_{};
    std::size_t size_ = 0, at_ = 0;
    bool failed_ = false;
    Step failure_;
};

}  // namespace

std::optional<Step> peEpilogueX64(const PeTables& tables, const PeFunction& function,
                                  const WalkFrame& frame, Walk& walk) {
    return EpilogueRun(tables, function, frame, walk).run();
}

}  // namespace icecore
