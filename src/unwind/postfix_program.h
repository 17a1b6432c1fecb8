// The postfix language in which FrameData (PDB) and "STACK CFI" (Breakpad) compute registers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "unwind/frame_finder.h"

namespace icecore {

/// Words separated by blanks: numbers (decimal), names ("$eip", "$T0", ".cfa", "x19"), and the
/// operators `+ - * / %`, `@` (round down to a multiple), `^` (load a pointer), `=` (assign to the
/// name below the value). Source: cvinfo.h and Breakpad's docs/symbol_files.md. Bounded: programs
/// of more than a thousand words fail.
class PostfixProgram {
public:
    PostfixProgram(Walk& walk, Arch arch) : walk_(walk), arch_(arch) {}

    void set(std::string_view name, std::uint64_t value);
    [[nodiscard]] std::optional<std::uint64_t> get(std::string_view name) const;
    /// Runs assignments; false when one cannot be made.
    bool run(std::string_view program);
    /// The value of an expression. Nothing where it has none (`.undef`), or it cannot be computed.
    [[nodiscard]] std::optional<std::uint64_t> evaluate(std::string_view expression);
    /// The address that could not be read, when that is why something failed.
    [[nodiscard]] std::optional<std::uint64_t> unreadable() const { return unreadable_; }

private:
    struct Item {
        std::optional<std::uint64_t> value;
        std::string_view name;  ///< of what may be assigned to
    };
    bool execute(std::string_view program, std::vector<Item>& stack);
    [[nodiscard]] std::optional<std::uint64_t> valueOf(const Item& item) const;
    [[nodiscard]] std::uint64_t narrow(std::uint64_t value) const;

    Walk& walk_;
    Arch arch_;
    std::map<std::string, std::uint64_t, std::less<>> variables_;
    std::optional<std::uint64_t> unreadable_;
};

}  // namespace icecore
