// Expressions as WinDbg's MASM evaluator reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace icecore::debugger {

/// What the names in an expression stand for, and where it reads memory.
class ExpressionScope {
public:
    virtual ~ExpressionScope() = default;

    /// A register ("rsp", "eax", "al") or pseudo-register ("$ip", "$t0"); nothing when there is
    /// no such name or its value is not known.
    [[nodiscard]] virtual std::optional<std::uint64_t> registerValue(
        std::string_view name) const = 0;
    /// "module!name" or "name"; an error that says what was not found.
    [[nodiscard]] virtual Result<std::uint64_t> symbolValue(std::string_view name) const = 0;
    /// Whether `name` can stand before a '!'.
    [[nodiscard]] virtual bool isModule(std::string_view name) const = 0;
    /// A little-endian integer of 1, 2, 4 or 8 bytes.
    [[nodiscard]] virtual Result<std::uint64_t> readMemory(std::uint64_t address,
                                                           std::size_t size) const = 0;
    [[nodiscard]] virtual std::size_t pointerSize() const = 0;
    /// The radix of numbers without a prefix (`n 10` changes it).
    [[nodiscard]] virtual unsigned radix() const = 0;
    /// An expression of C++, which stands inside one of MASM as `@@c++(…)`.
    [[nodiscard]] virtual Result<std::uint64_t> cppValue(std::string_view text) const;
};

struct Evaluated {
    std::uint64_t value = 0;
    std::string_view rest;  ///< what follows the expression, leading blanks removed
};

/// Evaluates the expression at the start of `text`, as far as it goes: a blank ends it unless an
/// operator follows. Numbers: the scope's radix, or 0x, 0n (decimal), 0t (octal), 0y (binary), or a
/// final `h`; back-ticks inside are skipped. A word that reads as a number in the radix is one;
/// then it is a register, then a symbol; `@` forces a register. `.` alone is the program counter.
/// `@@c++(…)` holds an expression of C++. Operators, from loose to tight: `| or`, `^ xor`, `& and`,
/// `== = != < > <= >=`, `<< >> >>>`,
/// `+ -`, `* / % mod`, unary `+ - ~ not ! hi low by wo dwo qwo poi`. Arithmetic is modulo 2^64.
/// `usage` where the text is no expression, `not_found` for an unknown name, `unreadable` for
/// memory that is not there, `limit` when it is nested too deeply.
Result<Evaluated> evaluatePrefix(std::string_view text, const ExpressionScope& scope);

/// As evaluatePrefix, and nothing may follow.
Result<std::uint64_t> evaluate(std::string_view text, const ExpressionScope& scope);

/// A word as a number in `radix` with the prefixes above; nothing when it is none or too big.
std::optional<std::uint64_t> parseMasmNumber(std::string_view word, unsigned radix);

}  // namespace icecore::debugger
