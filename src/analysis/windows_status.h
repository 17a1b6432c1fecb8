// Windows' status and exception codes in words.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace icecore {

struct StatusWords {
    std::uint32_t code = 0;
    std::string_view name;  ///< "STATUS_ACCESS_VIOLATION"
    std::string_view text;  ///< "access violation"
};

namespace statuses {
enum : std::uint32_t {
    guardPage = 0x80000001,
    breakpoint = 0x80000003,
    singleStep = 0x80000004,
    accessViolation = 0xc0000005,
    inPageError = 0xc0000006,
    illegalInstruction = 0xc000001d,
    privilegedInstruction = 0xc0000096,
    integerDivide = 0xc0000094,
    integerOverflow = 0xc0000095,
    floatDenormal = 0xc000008d,
    floatUnderflow = 0xc0000093,
    stackOverflow = 0xc00000fd,
    heapCorruption = 0xc0000374,
    fastFail = 0xc0000409,
    fatalAppExit = 0x40000015,
    assertionFailure = 0xc0000420,
    cppException = 0xe06d7363,
    clrException = 0xe0434352,
};
}

/// The words of an exception code, or nothing when it is not one that programs end with.
std::optional<StatusWords> statusWords(std::uint32_t code);

/// The reason given to `__fastfail`, the first parameter of STATUS_STACK_BUFFER_OVERRUN.
std::optional<StatusWords> fastFailWords(std::uint64_t reason);

}  // namespace icecore
