// What follows a command's name: words, switches, expressions, ranges.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "debugger/expression.h"

namespace icecore::debugger {

/// `ADDRESS`, `ADDRESS LCOUNT` or `ADDRESS LAST`: an address and how many objects from there.
struct ObjectRange {
    std::uint64_t address = 0;
    std::optional<std::uint64_t> count;  ///< nothing: the command's default
    bool operator==(const ObjectRange&) const = default;
};

/// Reads a command's arguments from left to right. The text and the scope must outlive it.
class Arguments {
public:
    Arguments(std::string_view text, const ExpressionScope& scope);

    [[nodiscard]] bool empty() const { return rest_.empty(); }
    /// What was not taken yet, without blanks around it.
    [[nodiscard]] std::string_view rest() const { return rest_; }
    /// Drops characters and the blanks after them.
    void skip(std::size_t count);
    /// Takes and returns all of it.
    std::string_view takeRest();
    /// The next word: up to a blank, or between double quotes. Empty at the end.
    std::string_view takeWord();
    [[nodiscard]] std::string_view peekWord() const;
    /// Takes `/f` or `-f` when it is the next word (case counts: `/v` and `/V` may differ).
    bool takeSwitch(char letter);
    /// Takes the word when it is the next one, whatever its case.
    bool takeKeyword(std::string_view word);
    Result<std::uint64_t> takeExpression();
    /// `unit`: bytes of one object, to count what lies up to a last address. Counts above
    /// 256 Mi objects need `L?`, as a guard against slips; `L-COUNT` ends at the address.
    Result<ObjectRange> takeRange(std::uint64_t unit);
    /// `usage` when something is left.
    [[nodiscard]] Result<void> finish() const;

private:
    std::string_view rest_;
    const ExpressionScope* scope_;
};

}  // namespace icecore::debugger
