#include "debugger/cpp_arithmetic.h"

#include <algorithm>
#include <array>

namespace icecore::debugger {

namespace {

struct Row {
    std::string_view name;
    std::size_t size;
    bool isSigned;
};
constexpr std::array<Row, 12> rows = {{{"", 0, false},
                                       {"bool", 1, false},
                                       {"char", 1, true},
                                       {"unsigned char", 1, false},
                                       {"short", 2, true},
                                       {"unsigned short", 2, false},
                                       {"int", 4, true},
                                       {"unsigned int", 4, false},
                                       {"int64", 8, true},
                                       {"unsigned int64", 8, false},
                                       {"float", 4, true},
                                       {"double", 8, true}}};

const Row& rowOf(Arithmetic type) {
    return rows.at(static_cast<std::size_t>(type));
}

}  // namespace

std::string_view toString(Arithmetic type) {
    return rowOf(type).name;
}
std::size_t sizeOf(Arithmetic type) {
    return rowOf(type).size;
}
bool isSigned(Arithmetic type) {
    return rowOf(type).isSigned;
}
bool isFloating(Arithmetic type) {
    return type == Arithmetic::float32 || type == Arithmetic::float64;
}

std::optional<Arithmetic> arithmeticNamed(std::string_view words) {
    struct Name {
        std::string_view words;
        Arithmetic type;
    };
    constexpr auto names = std::to_array<Name>({{"bool", Arithmetic::boolean},
                                                {"char", Arithmetic::character},
                                                {"signed char", Arithmetic::character},
                                                {"unsigned char", Arithmetic::unsigned_character},
                                                {"void", Arithmetic::unsigned_character},
                                                {"short", Arithmetic::int16},
                                                {"unsigned short", Arithmetic::uint16},
                                                {"wchar_t", Arithmetic::uint16},
                                                {"int", Arithmetic::int32},
                                                {"signed", Arithmetic::int32},
                                                {"signed int", Arithmetic::int32},
                                                {"long", Arithmetic::int32},
                                                {"unsigned", Arithmetic::uint32},
                                                {"unsigned int", Arithmetic::uint32},
                                                {"unsigned long", Arithmetic::uint32},
                                                {"int64", Arithmetic::int64},
                                                {"__int64", Arithmetic::int64},
                                                {"long long", Arithmetic::int64},
                                                {"unsigned int64", Arithmetic::uint64},
                                                {"unsigned __int64", Arithmetic::uint64},
                                                {"unsigned long long", Arithmetic::uint64},
                                                {"float", Arithmetic::float32},
                                                {"double", Arithmetic::float64}});
    const auto found = std::ranges::find(names, words, &Name::words);
    return found == names.end() ? std::nullopt : std::optional(found->type);
}

Arithmetic integerOfSize(std::uint64_t size, bool isSigned) {
    switch (size) {
    case 1: return isSigned ? Arithmetic::character : Arithmetic::unsigned_character;
    case 2: return isSigned ? Arithmetic::int16 : Arithmetic::uint16;
    case 4: return isSigned ? Arithmetic::int32 : Arithmetic::uint32;
    case 8: return isSigned ? Arithmetic::int64 : Arithmetic::uint64;
    default: return Arithmetic::none;
    }
}

std::uint64_t extended(std::uint64_t value, unsigned bits, bool isSigned) {
    if (bits == 0 || bits >= 64) return value;
    const unsigned shift = 64 - bits;
    return isSigned ? static_cast<std::uint64_t>(static_cast<std::int64_t>(value << shift) >> shift)
                    : value << shift >> shift;
}

}  // namespace icecore::debugger
