#include "unwind/cfi_finder.h"

#include "symbols/dwarf/expression.h"

namespace icecore {

namespace {

/// A value, or the step that says why there is none.
struct Value {
    std::optional<std::uint64_t> value;
    Step failure;
};

class RowApplier {
public:
    RowApplier(const UnwindRow& row, const WalkFrame& frame, WalkMemory& memory)
        : row_(row),
          frame_(frame),
          memory_(memory),
          info_(archInfo(frame.registers.arch())),
          addressMask_(info_.pointerSize == 4 ? UINT32_MAX : UINT64_MAX) {}

    Step run();

private:
    Value cfa();
    Value evaluate(std::int64_t begin, std::uint16_t length, std::optional<std::uint64_t> initial);
    Value loaded(std::uint64_t address);
    Value registerValue(const RegisterRule& rule, std::uint64_t cfa);

    const UnwindRow& row_;
    const WalkFrame& frame_;
    WalkMemory& memory_;
    const ArchInfo& info_;
    std::uint64_t addressMask_;
};

Value RowApplier::loaded(std::uint64_t address) {
    if (const auto value = memory_.load(address, info_.pointerSize)) return {value, {}};
    return {std::nullopt, Step::unreadable(address)};
}

Value RowApplier::evaluate(std::int64_t begin, std::uint16_t length,
                           std::optional<std::uint64_t> initial) {
    std::uint64_t missing = 0;
    const ExpressionInput input{frame_.registers,
                                [&](std::uint64_t address, std::size_t size) {
                                    const auto value = memory_.load(address, size);
                                    if (!value) missing = address;
                                    return value;
                                },
                                row_.bias, info_.pointerSize};
    const auto result = evaluateExpression(row_.expression(begin, length), input, initial);
    if (result) return {*result, {}};
    if (result.error().code == Errc::unreadable) return {std::nullopt, Step::unreadable(missing)};
    return {std::nullopt, {}};
}

Value RowApplier::cfa() {
    switch (row_.cfa.kind) {
    case CfaRule::Kind::register_offset:
        if (const auto base = frame_.registers.get(row_.cfa.reg))
            return {(*base + static_cast<std::uint64_t>(row_.cfa.value)) & addressMask_, {}};
        return {};
    case CfaRule::Kind::expression: return evaluate(row_.cfa.value, row_.cfa.length, std::nullopt);
    case CfaRule::Kind::none: break;
    }
    return {};
}

Value RowApplier::registerValue(const RegisterRule& rule, std::uint64_t cfa) {
    const std::uint64_t offset =
        (cfa + static_cast<std::uint64_t>(static_cast<std::int64_t>(rule.value))) & addressMask_;
    switch (rule.kind) {
    case RuleKind::offset: return loaded(offset);
    case RuleKind::val_offset: return {offset, {}};
    case RuleKind::same_value: return {frame_.registers.get(rule.reg), {}};
    case RuleKind::in_register:
        return {frame_.registers.get(static_cast<RegisterId>(rule.value)), {}};
    case RuleKind::expression: {
        const Value address = evaluate(rule.value, rule.length, cfa);
        return address.value ? loaded(*address.value) : address;
    }
    case RuleKind::val_expression: return evaluate(rule.value, rule.length, cfa);
    case RuleKind::undefined: break;
    }
    return {};
}

Step RowApplier::run() {
    const RegisterRule* returnRule = row_.rule(row_.returnRegister);
    if (returnRule != nullptr && returnRule->kind == RuleKind::undefined) return Step::outermost();

    const Value base = cfa();
    if (!base.value) return base.failure;

    Step step;
    step.kind = Step::Kind::caller;
    step.trust = Trust::cfi;
    step.fromSignalFrame = row_.signalFrame;
    step.caller = frame_.registers;
    step.caller.set(info_.sp, *base.value);
    // Without a rule the return address is where it was: alive only in a link register that
    // nothing has overwritten yet, which the unwinder checks by the progress that is made.
    std::optional<std::uint64_t> pc;
    if (returnRule == nullptr && info_.lr && row_.returnRegister == *info_.lr)
        pc = frame_.registers.get(*info_.lr);
    if (info_.lr) step.caller.forget(*info_.lr);  // the call has overwritten the caller's

    for (const RegisterRule& rule : row_.rules) {
        const Value found = registerValue(rule, *base.value);
        if (rule.reg == row_.returnRegister) {
            if (!found.value) return found.failure;
            pc = found.value;
            if (!row_.signalFrame) continue;
        }
        if (found.value)
            step.caller.set(rule.reg, *found.value);
        else
            step.caller.forget(rule.reg);
    }
    // A signal frame of arm64 restores both lr and, as a column of its own, pc.
    if (row_.signalFrame && row_.returnRegister != info_.pc && row_.rule(info_.pc) != nullptr)
        pc = step.caller.get(info_.pc);
    if (!pc) return {};
    step.caller.set(info_.pc, stripPointer(frame_.registers.arch(), *pc) & addressMask_);
    return step;
}

}  // namespace

Step applyRow(const UnwindRow& row, const WalkFrame& frame, WalkMemory& memory) {
    return RowApplier(row, frame, memory).run();
}

Step CfiFinder::find(const WalkFrame& frame, Walk& walk) const {
    UnwindRow scratch;
    const UnwindRow* row = rules_.at(frame.lookupPc(), scratch);
    if (frame.pcIsReturnAddress && (row == nullptr || row->lastOfFunction)) {
        // Either a call that never returns is its function's last instruction; or nobody called
        // here: the "return address" is the first byte of a function and was planted. A signal
        // trampoline does say what to do then. Any other one is where a context begins
        // (makecontext), whose rules, made for being called, are of no use: glibc's
        // __start_context would lead to its uc_link.
        UnwindRow exactScratch;
        const UnwindRow* exact = rules_.at(frame.pc(), exactScratch);
        const bool planted = exact != nullptr && exact->functionBegin == frame.pc() &&
                             walk.code.surelyNotCalled(frame.registers.arch(), frame.pc());
        if (planted && !exact->signalFrame) return Step::outermost(true);
        if (exact != nullptr && exact->signalFrame && (planted || row == nullptr))
            return applyRow(*exact, frame, walk.memory);
    }
    if (row == nullptr) return {};
    return applyRow(*row, frame, walk.memory);
}

}  // namespace icecore
