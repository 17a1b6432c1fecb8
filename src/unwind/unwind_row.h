// The rules that hold at one code address: where the caller's registers are.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "arch/registers.h"
#include "unwind/cfi_entry.h"

namespace icecore {

/// DWARF 5, section 6.4.1: "register rules".
enum class RuleKind : std::uint8_t {
    undefined,       ///< the caller's value is lost; of the return address: there is no caller
    same_value,      ///< unchanged
    offset,          ///< stored at CFA + value
    val_offset,      ///< is CFA + value
    in_register,     ///< in the register `value`
    expression,      ///< stored at the address a DWARF expression computes
    val_expression,  ///< is what a DWARF expression computes
};

/// Of one register. Eight bytes, because many rows are kept.
struct RegisterRule {
    RegisterId reg = 0;
    RuleKind kind = RuleKind::undefined;
    std::uint16_t length = 0;  ///< bytes of the expression
    std::int32_t value = 0;    ///< offset, register, or where in the section the expression begins
    bool operator==(const RegisterRule&) const = default;
};
static_assert(sizeof(RegisterRule) == 8);

/// Of the canonical frame address, the stack pointer before the call.
struct CfaRule {
    enum class Kind : std::uint8_t { none, register_offset, expression };
    Kind kind = Kind::none;
    RegisterId reg = 0;
    std::uint16_t length = 0;
    std::int64_t value = 0;  ///< offset, or where in the section the expression begins
    bool operator==(const CfaRule&) const = default;
};

/// Registers without a rule keep their value as far as the ABI preserves them.
struct UnwindRow {
    const CfiSection* section = nullptr;  ///< holds the expressions; null: no CFI at this address
    std::uint64_t functionBegin = 0;      ///< the FDE's begin; a runtime address once in use
    std::uint64_t bias = 0;               ///< runtime minus link-time address of the module
    CfaRule cfa;
    RegisterId returnRegister = 0;  ///< rip on x86-64, lr on arm64
    bool signalFrame = false;
    bool lastOfFunction = false;       ///< the next address is no longer the FDE's
    bool returnAddressSigned = false;  ///< arm64: by pointer authentication, at this address
    std::vector<RegisterRule> rules;   ///< ascending by register

    [[nodiscard]] const RegisterRule* rule(RegisterId reg) const {
        for (const RegisterRule& each : rules) {
            if (each.reg == reg) return &each;
        }
        return nullptr;
    }
    /// The bytes of a rule's expression; empty when a rule lies (then its evaluation fails).
    [[nodiscard]] ByteView expression(std::int64_t begin, std::uint16_t length) const {
        return section == nullptr ? ByteView{}
                                  : section->bytes.slice(static_cast<std::uint64_t>(begin), length);
    }
    bool operator==(const UnwindRow&) const = default;
};

}  // namespace icecore
