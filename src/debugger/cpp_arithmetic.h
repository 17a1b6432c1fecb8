// The arithmetic types of C++ that need no symbols.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace icecore::debugger {

/// Weakest first: of two operands the later one wins.
enum class Arithmetic : std::uint8_t {
    none,
    boolean,
    character,
    unsigned_character,
    int16,
    uint16,
    int32,
    uint32,
    int64,
    uint64,
    float32,
    float64,
};
/// "unsigned int64", as debuggers of Windows call it; empty for `none`.
std::string_view toString(Arithmetic type);
std::size_t sizeOf(Arithmetic type);  ///< bytes
bool isSigned(Arithmetic type);
bool isFloating(Arithmetic type);
/// "unsigned long long", "char"…; `long` is Windows', of 32 bits. `void` is bytes.
std::optional<Arithmetic> arithmeticNamed(std::string_view words);
/// The integer of so many bytes; `none` where there is none.
Arithmetic integerOfSize(std::uint64_t size, bool isSigned);
/// The lower `bits` of a value, its sign extended or not.
std::uint64_t extended(std::uint64_t value, unsigned bits, bool isSigned);

}  // namespace icecore::debugger
